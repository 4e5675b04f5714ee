//! A network of ten nodes with several routes, good and bad ones.

use crate::{Net, RawNode, TestNode, until};
use bitcoin::{Address, Amount, Network as Chain};
use sponte_engine::backend::{Admin, OpenChannel, RouteHint};
use sponte_proto::{CltvExpiryDelta, Msat, NodeId, Sat};
use sponte_raw::RawConfig;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Four nodes of ours and six raw ones. All channels are of a million satoshi and announced, if
/// nothing else is said; fees are in satoshi, and what stands at an end is that end's balance in
/// thousands of satoshi.
///
/// ```text
///  alice 900 -- 100 fay (1) 1000 -- 0 gus (1) 1000 -- 0 carol
///    |              `------ 0 -- 1000 hal                  saturated
///    |-- 900 -- 100 liz (40) 100 -- 900 gus                liz says 40, and asks 90
///    |-- 900 -- 100 sid (50) 800 -- 200 hal (20) 1000 -- 0 carol
///    `-- 900 -- 100 bob (200 + 100 ppm) 1000 -- 0 carol
///
///  hal 1000 -- 0 dave        unannounced, the only channel of dave
///  gus  100 -- 0 ned         of 100,000 satoshi
/// ```
///
/// To carol, the cheapest route goes by fay and gus, then by fay and hal, which fails, then by liz
/// and gus, which fails, then by sid and hal, then by bob. What is between them is more than what
/// LDK's scorer holds against a channel of which it has learned a little.
#[allow(missing_docs)]
pub struct Network {
    pub alice: TestNode,
    pub bob: TestNode,
    pub carol: TestNode,
    pub dave: TestNode,
    pub fay: RawNode,
    pub gus: RawNode,
    pub hal: RawNode,
    pub liz: RawNode,
    pub sid: RawNode,
    pub ned: RawNode,
    pub net: Net,
}

/// What a channel is worth, if nothing else is said.
const VALUE_SAT: u64 = 1_000_000;
/// Announced ones: ten that raw nodes open, and two of bob's.
const ANNOUNCED: usize = 12;

fn sat(sat: u64) -> Msat {
    Msat::from_sat(sat).expect("in supply")
}

impl Network {
    /// What the route by fay and gus costs.
    pub const CHEAPEST_MSAT: u64 = 2_000;
    /// What the route by sid and hal costs.
    pub const BY_SID_MSAT: u64 = 70_000;

    /// A new network: every node knows every announced channel.
    pub async fn start() -> Network {
        let net = Net::start().await;
        let ours = async |name| net.node(name).await;
        let (alice, mut bob, carol, dave) =
            tokio::join!(ours("alice"), ours("bob"), ours("carol"), ours("dave"));
        bob.stop().await;
        bob.config_mut().forwarding_fee_base_msat = 200_000;
        bob.run().await;
        let raw = async |name, fee| RawNode::start_with(&net, name, RawConfig::asking(sat(fee))).await;
        let lying = RawConfig { announced_fee: sat(40), ..RawConfig::asking(sat(90)) };
        let liz = RawNode::start_with(&net, "liz", lying).await;
        let (fay, gus, hal) = (raw("fay", 1).await, raw("gus", 1).await, raw("hal", 20).await);
        let (sid, ned) = (raw("sid", 50).await, raw("ned", 1).await);
        let network = Network { alice, bob, carol, dave, fay, gus, hal, liz, sid, ned, net };
        network.open().await;
        network.gossiped().await;
        network
    }

    /// Nodes of ours.
    pub fn ours(&self) -> [&TestNode; 4] {
        [&self.alice, &self.bob, &self.carol, &self.dave]
    }

    /// Nodes of others.
    pub fn raw(&self) -> [&RawNode; 6] {
        [&self.fay, &self.gus, &self.hal, &self.liz, &self.sid, &self.ned]
    }

    /// The way to dave, whom the network does not know.
    pub fn hint_to_dave(&self) -> Vec<RouteHint> {
        vec![RouteHint {
            node: self.hal.id(),
            channel: self.hal.channel(&self.dave.id()),
            fee_base: sat(20),
            fee_ppm: 0,
            cltv_delta: CltvExpiryDelta::new(RawNode::DELTA),
        }]
    }

    /// Waits until the books of all nodes of ours agree.
    pub async fn audited(&self) {
        for node in self.ours() {
            node.audited().await;
        }
    }

    async fn open(&self) {
        let Network { alice, bob, carol, dave, fay, gus, hal, liz, sid, ned, net } = self;
        self.coins_for_bob().await;
        for peer in [alice, carol] {
            bob.connect(peer).await;
            open_from_bob(bob, peer, if peer.id() == alice.id() { 900_000 } else { 0 }).await;
        }
        for (from, to) in [(fay, alice), (liz, alice), (sid, alice), (gus, carol), (hal, carol), (hal, dave)]
        {
            from.connect(to.id(), &to.info().await.listening.expect("it listens")).await;
        }
        for (from, to) in [(fay, gus), (hal, fay), (gus, liz), (sid, hal), (gus, ned)] {
            from.connect(to.id(), &to.address()).await;
        }
        for (from, to) in [(fay, alice), (liz, alice), (sid, alice)] {
            from.begin_open(to.id(), VALUE_SAT, sat(900_000)).await;
        }
        let others: [(&RawNode, NodeId, u64, u64); 7] = [
            (gus, carol.id(), VALUE_SAT, 0),
            (hal, carol.id(), VALUE_SAT, 0),
            (fay, gus.id(), VALUE_SAT, 0),
            (hal, fay.id(), VALUE_SAT, 0),
            (gus, liz.id(), VALUE_SAT, 100_000),
            (sid, hal.id(), VALUE_SAT, 200_000),
            (gus, ned.id(), 100_000, 0),
        ];
        for (from, to, value, push) in others {
            from.begin_open(to, value, sat(push)).await;
        }
        net.mempool_holds(ANNOUNCED).await;
        // Of dave's: six blocks come with it, and all others are confirmed with it.
        hal.open(net, dave.id(), VALUE_SAT, Msat::ZERO).await;
        net.synced(&self.ours()).await;
    }

    /// Two coins, as he opens two channels at once.
    async fn coins_for_bob(&self) {
        let Network { bob, net, .. } = self;
        for _ in 0..2 {
            let address = Address::from_str(&bob.address().await).expect("an address");
            let address = address.require_network(Chain::Regtest).expect("of regtest");
            net.chain().send(&address, Amount::from_sat(2 * VALUE_SAT)).await;
        }
        net.mine_and_sync(1, &[bob]).await;
        until("bob's coins to be confirmed", async || {
            (bob.balance().await.confirmed.to_sat() == 4 * VALUE_SAT).then_some(())
        })
        .await;
    }

    /// Waits until all that have announced channels know all of them.
    async fn gossiped(&self) {
        for raw in self.raw() {
            raw.announce();
        }
        let looks = AtomicUsize::new(0);
        until("everybody to hear of all channels", async || {
            // Some of them had no peer yet that could hear them, and nobody says it again.
            if looks.fetch_add(1, Ordering::Relaxed) % 50 == 49 {
                self.raw().iter().for_each(|raw| raw.retell());
            }
            if self.raw().iter().any(|raw| raw.known_directions() != 2 * ANNOUNCED) {
                return None;
            }
            for node in [&self.alice, &self.bob, &self.carol] {
                if node.info().await.graph_channels as usize != ANNOUNCED {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }
}

async fn open_from_bob(bob: &TestNode, to: &TestNode, push: u64) {
    let request = OpenChannel {
        peer: to.id(),
        address: None,
        value: Sat::new(VALUE_SAT).expect("in supply"),
        push: sat(push),
        announce: true,
    };
    let opened = bob.handle().admin(move |reply| Admin::OpenChannel(request, reply)).await;
    opened.expect("the channel opens");
}
