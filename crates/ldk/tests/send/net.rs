//! A chain, and nodes on it in a row.

use crate::node::Node;
use bitcoin::{Address, Amount, Network};
use sponte_chain::{RunningServer, Server, ServerConfig};
use sponte_engine::backend::{Admin, Query, RouteHint, RouteRequest, Routes};
use sponte_engine::commit::PartFailure;
use sponte_proto::{ChannelId, CltvExpiryDelta, Msat, PaymentId, Preimage, ShortChannelId};
use std::ops::{Index, IndexMut};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

pub const ALICE: usize = 0;
pub const BOB: usize = 1;
pub const CAROL: usize = 2;
pub const DAVE: usize = 3;

/// The longest that one thing is waited for. Far more than any takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(90);

pub struct Net {
    nodes: Vec<Node>,
    chain: RunningServer,
    _runtime: Runtime,
}

impl Index<usize> for Net {
    type Output = Node;

    fn index(&self, node: usize) -> &Node {
        &self.nodes[node]
    }
}

impl IndexMut<usize> for Net {
    fn index_mut(&mut self, node: usize) -> &mut Node {
        &mut self.nodes[node]
    }
}

impl Net {
    /// Alice, Bob, Carol and Dave, without channels.
    pub fn new() -> Net {
        let runtime = Runtime::new().expect("a runtime");
        let chain =
            runtime.block_on(Server::start(ServerConfig::default())).expect("loopback has a free port");
        let nodes = ["alice", "bob", "carol", "dave"].map(|name| Node::new(&chain, name)).into();
        Net { nodes, chain, _runtime: runtime }
    }

    /// Alice - Bob - Carol with announced channels of so many satoshi, opened by whom they are
    /// listed with, and as many more between Alice and Bob as there are further amounts.
    pub fn line(alice_to_bob: &[u64], bob_to_carol: u64) -> Net {
        let mut net = Net::new();
        for sat in alice_to_bob {
            net.open(ALICE, BOB, *sat, true);
        }
        net.open(BOB, CAROL, bob_to_carol, true);
        let channels = alice_to_bob.len() as u32 + 1;
        for node in [ALICE, BOB, CAROL] {
            net.until("the channels to be known", |net| {
                (net[node].now(Admin::Info).graph_channels >= channels).then_some(())
            });
        }
        net
    }

    /// Steps all nodes until there is an answer.
    pub fn until<T>(&mut self, what: &str, mut look: impl FnMut(&mut Net) -> Option<T>) -> T {
        let end = Instant::now() + DEADLINE;
        loop {
            self.step();
            if let Some(answer) = look(self) {
                return answer;
            }
            assert!(Instant::now() < end, "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn step(&mut self) {
        self.nodes.iter_mut().for_each(Node::step);
    }

    pub fn mine(&mut self, blocks: u32) {
        self.chain.chain().mine(blocks).expect("the chain takes its own blocks");
        let tip = self.chain.chain().tip_hash().to_string();
        self.until("the nodes to reach the tip", |net| {
            let mut running = net.nodes.iter_mut().filter(|node| node.is_running());
            running.all(|node| node.now(Admin::Info).block_hash == tip).then_some(())
        });
    }

    fn fund(&mut self, node: usize, sat: u64) {
        let address: Address<_> = self[node].now(Admin::Address).parse().expect("an address");
        let address = address.require_network(Network::Regtest).expect("of regtest");
        self.chain.chain().send(&address, Amount::from_sat(sat)).expect("the faucet has enough");
        self.mine(1);
    }

    pub fn connect(&mut self, from: usize, to: usize) {
        let address = self[to].now(Admin::Info).listening.expect("it listens");
        let id = self[to].id();
        let answer = self[from].ask(|reply| Admin::Connect(id, address, reply));
        self.until("the nodes to connect", |_| answer.lock().expect("unpoisoned").take())
            .unwrap_or_else(|refusal| panic!("{refusal}"));
    }

    /// Opens a channel, and waits until both can use it.
    pub fn open(&mut self, from: usize, to: usize, sat: u64, announce: bool) -> ChannelId {
        self.fund(from, 2 * sat);
        self.connect(from, to);
        let before = [from, to].map(|node| self[node].usable());
        let request = self[to].open_request(sat, announce);
        let answer = self[from].ask(|reply| Admin::OpenChannel(request, reply));
        let opened = self.until("the channel to open", |_| answer.lock().expect("unpoisoned").take());
        let opened = opened.unwrap_or_else(|refusal| panic!("{refusal}"));
        self.until("the funding to be broadcast", |net| {
            (!net.chain.chain().mempool_txids().is_empty()).then_some(())
        });
        self.mine(6);
        for (node, before) in [from, to].into_iter().zip(before) {
            self.until("the channel to be usable", |net| (net[node].usable() > before).then_some(()));
        }
        opened.channel
    }

    /// Alice's question for routes to a node.
    pub fn request(&self, to: usize, amount: Msat) -> RouteRequest {
        RouteRequest {
            query: Query { payment: PaymentId::from_bytes([1; 32]), number: 0 },
            destination: self[to].id(),
            amount,
            max_fee: sat(10_000),
            max_parts: 1,
            final_cltv: CltvExpiryDelta::new(80),
            payload_bytes: 200,
            avoid: vec![],
            hints: vec![],
            blinded: None,
        }
    }

    /// What Alice finds.
    pub fn routes(&mut self, request: RouteRequest) -> Routes {
        self[ALICE].routes(request)
    }

    /// Waits for the end of an HTLC of Alice's.
    pub fn end(&mut self, part: PaymentId) -> Result<Preimage, PartFailure> {
        self.until("an HTLC to end", |net| net[ALICE].end_of(part))
    }

    /// How Alice reaches Dave through his unannounced channel with Carol.
    pub fn hint(&mut self) -> Vec<RouteHint> {
        let dave = self[DAVE].id();
        let channels = self[CAROL].channels();
        let channel = channels.iter().find(|channel| channel.peer == dave).expect("it is open");
        vec![RouteHint {
            node: self[CAROL].id(),
            channel: ShortChannelId::new(channel.short_channel_id.expect("it is confirmed")),
            fee_base: Msat::new(1_000).expect("small"),
            fee_ppm: 100,
            cltv_delta: CltvExpiryDelta::new(72),
        }]
    }
}

pub fn sat(sat: u64) -> Msat {
    Msat::from_sat(sat).expect("in supply")
}
