//! Four nodes in a line, each other one an LND, on one bitcoind.

use bitcoin::{Address, Amount, Network};
use sponte_engine::Receive;
use sponte_engine::backend::{Admin, Kinds, OpenChannel};
use sponte_engine::commit::{Account, AttemptRow, Direction, PartRow, PaymentRow, State};
use sponte_node::PaymentRequest;
use sponte_peers::{BitcoindRpc, Lnd, LndConfig};
use sponte_proto::{Msat, NodeId, PaymentHash, PaymentId, Sat};
use sponte_store::PaymentsQuery;
use sponte_testkit::{Net, TestNode, until};
use std::str::FromStr;

/// Each channel's value in satoshi; each end has the half.
pub const VALUE_SAT: u64 = 2_000_000;

/// alice (sponte) opens to lana (LND), lana to carol (sponte), carol to lutz (LND). All announced.
pub struct World {
    pub alice: TestNode,
    pub lana: Lnd,
    pub carol: TestNode,
    pub lutz: Lnd,
    pub net: Net,
}

impl World {
    pub async fn start() -> World {
        World::with(LndConfig::default()).await
    }

    /// With these options of both LNDs.
    pub async fn with(config: LndConfig) -> World {
        let net = Net::on_bitcoind().await;
        let (alice, carol, lana, lutz) = tokio::join!(
            net.node("alice"),
            net.node("carol"),
            lnd(&net, "lana", config.clone()),
            lnd(&net, "lutz", config),
        );
        let world = World { alice, lana, carol, lutz, net };
        world.open().await;
        world
    }

    async fn open(&self) {
        let World { alice, lana, carol, lutz, net } = self;
        for address in [alice.address().await, lana.coin_address().await, carol.address().await] {
            send(net, &address, 5_000_000).await;
        }
        self.mine(1).await;
        until("coins of sponte", async || {
            let coins = [alice.balance().await.confirmed, carol.balance().await.confirmed];
            coins.iter().all(|coins| coins.to_sat() > 0).then_some(())
        })
        .await;
        until("coins of LND", async || (lana.confirmed_sat().await > 0).then_some(())).await;
        lana.connect(alice.id(), &listening(alice).await).await;
        lana.connect(carol.id(), &listening(carol).await).await;
        lutz.connect(carol.id(), &listening(carol).await).await;
        open_channel(alice, lana.id()).await;
        lana.open(carol.id(), VALUE_SAT, VALUE_SAT / 2).await;
        open_channel(carol, lutz.id()).await;
        net.mempool_holds(3).await;
        self.mine(6).await;
        self.usable().await;
        self.gossiped(3).await;
    }

    /// Waits until every channel is.
    pub async fn usable(&self) {
        for (node, channels) in [(&self.alice, 1), (&self.carol, 2)] {
            until(&format!("{}'s channels to be usable", node.name()), async || {
                let all = node.channels().await;
                (all.iter().filter(|channel| TestNode::usable(channel)).count() == channels).then_some(())
            })
            .await;
        }
        self.lana.has_active(2).await;
        self.lutz.has_active(1).await;
    }

    /// Waits until everybody knows all channels, both ways.
    async fn gossiped(&self, channels: usize) {
        for node in [&self.alice, &self.carol] {
            until(&format!("{} to hear of all channels", node.name()), async || {
                (node.info().await.graph_channels as usize == channels).then_some(())
            })
            .await;
        }
        for lnd in [&self.lana, &self.lutz] {
            until(&format!("{} to hear of all channels", lnd.name()), async || {
                lnd.knows(channels).await.then_some(())
            })
            .await;
        }
    }

    /// Mines, and waits until all four are at the tip.
    pub async fn mine(&self, blocks: u32) {
        self.net.mine_and_sync(blocks, &[&self.alice, &self.carol]).await;
        let tip = self.net.chain().tip_hash().await.to_string();
        for lnd in [&self.lana, &self.lutz] {
            lnd.reached(&tip).await;
        }
    }

    /// Waits until no HTLC is left, and the books of both agree.
    pub async fn audited(&self) {
        for lnd in [&self.lana, &self.lutz] {
            lnd.quiet().await;
        }
        for node in [&self.alice, &self.carol] {
            node.audited().await;
        }
    }
}

impl World {
    /// What carol has earned by forwarding, in msat.
    pub fn earned(&self) -> u64 {
        earned_by(&self.carol)
    }

    /// Waits until she has earned so much more.
    pub async fn earned_since(&self, before: u64, fee: Msat) {
        until("carol to have booked what she forwarded", async || {
            (self.earned() == before + fee.to_msat()).then_some(())
        })
        .await;
    }

    /// No spontaneous payments any more.
    pub async fn switch_off(&self, node: &TestNode) {
        let none = Kinds {
            keysend: false,
            mpp_keysend: false,
            amp: false,
            amp_invoice: false,
            ecdh1: false,
            ecdh0: false,
        };
        let receive = Receive { kinds: none, ..Receive::default() };
        node.handle().set_receive(Some(receive)).await.expect("it makes sense");
    }
}

/// What a node has earned by forwarding, in msat.
pub fn earned_by(node: &TestNode) -> u64 {
    let accounts = node.handle().ledger().accounts().expect("the ledger reads");
    let of = accounts.iter().find(|balance| balance.account == Account::FeesEarned);
    // A credit, so it falls.
    of.map_or(0, |balance| (-balance.posted_msat).try_into().expect("it earns"))
}

/// An LND on the net's bitcoind.
pub async fn lnd(net: &Net, name: &str, config: LndConfig) -> Lnd {
    let bitcoind = net.chain().bitcoind().expect("it is on a bitcoind");
    let rpc = BitcoindRpc {
        host: bitcoind.rpc_address(),
        user: bitcoind.rpc().user().into(),
        password: bitcoind.rpc().password().into(),
    };
    Lnd::start(&rpc, net.dir(), name, config).await
}

pub async fn send(net: &Net, address: &str, sat: u64) {
    let address = Address::from_str(address).expect("an address");
    let address = address.require_network(Network::Regtest).expect("of regtest");
    net.chain().send(&address, Amount::from_sat(sat)).await;
}

pub async fn listening(node: &TestNode) -> String {
    node.info().await.listening.expect("it listens")
}

/// An announced channel to a connected node, who gets the half.
async fn open_channel(from: &TestNode, peer: NodeId) {
    open_channel_of(from, peer, VALUE_SAT, Msat::from_sat(VALUE_SAT / 2).expect("in supply")).await;
}

/// An announced channel of that value to a connected node, who gets `push` of it.
pub async fn open_channel_of(from: &TestNode, peer: NodeId, sat: u64, push: Msat) {
    let value = Sat::new(sat).expect("in supply");
    let request = OpenChannel { peer, address: None, value, push, announce: true };
    let opened = from.handle().admin(move |reply| Admin::OpenChannel(request, reply)).await;
    opened.expect("the channel opens");
}

pub fn msat(msat: u64) -> Msat {
    Msat::new(msat).expect("in supply")
}

/// All that sponte's ledger says of a payment that it has sent.
#[derive(Debug)]
pub struct Told {
    pub row: PaymentRow,
    pub attempts: Vec<AttemptRow>,
    pub parts: Vec<PartRow>,
}

/// Pays, and waits for the end.
pub async fn pay(node: &TestNode, request: PaymentRequest) -> Told {
    let id = node.begin(request).await.expect("a sound request");
    ended(node, id).await
}

/// Waits for a payment's end.
pub async fn ended(node: &TestNode, id: PaymentId) -> Told {
    let row = node.ended(id).await;
    let ledger = node.handle().ledger().clone();
    let attempts = ledger.attempts(&id).expect("the ledger reads");
    let parts = ledger.parts(&id).expect("the ledger reads");
    Told { row, attempts, parts }
}

impl Told {
    /// Its settled parts, which are all of it.
    pub fn settled(&self) -> Vec<&PartRow> {
        assert_eq!(self.row.state, State::Settled, "{self:#?}");
        let parts: Vec<&PartRow> = self.parts.iter().filter(|part| part.state == State::Settled).collect();
        let sum = |of: fn(&PartRow) -> Msat| parts.iter().map(|part| of(part).to_msat()).sum::<u64>();
        let (amount, fee) = (sum(|part| part.amount), sum(|part| part.fee));
        assert_eq!((amount, fee), (self.row.amount.to_msat(), self.row.fee.to_msat()), "{self:#?}");
        parts
    }

    pub fn failed(&self) -> Vec<&PartRow> {
        self.parts.iter().filter(|part| part.state == State::Failed).collect()
    }
}

/// What sponte has got in all, the newest first.
pub fn received(node: &TestNode) -> Vec<PaymentRow> {
    let query = PaymentsQuery { direction: Some(Direction::In), limit: 1_000, ..PaymentsQuery::default() };
    node.handle().ledger().payments(query).expect("the ledger reads").rows
}

/// The payment to sponte with a part of that hash, once it has ended.
pub async fn received_with(node: &TestNode, hash: PaymentHash) -> PaymentRow {
    until(&format!("{} to have got a payment", node.name()), async || {
        let ledger = node.handle().ledger().clone();
        received(node).into_iter().find(|row| {
            let parts = ledger.parts(&row.id).expect("the ledger reads");
            row.state.has_ended() && parts.iter().any(|part| part.claim.hash == Some(hash))
        })
    })
    .await
}
