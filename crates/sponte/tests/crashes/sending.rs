//! Payments that do not arrive at the first try: an AMP set of three shards, one of which is sent
//! again, and an ECDH payment of two attempts. The sender aborts before or after each commit of its
//! start and its sending. Each key is paid once, and both ledgers say so.

use crate::checks;
use crate::node::{Node, Started};
use crate::payers::Asked;
use crate::until::{GLANCE, Outcome, PATIENCE, until};
use sponte_api::{Direction, Kind, Payment, PaymentDetail, PaymentsQuery, State};
use sponte_chain::{RunningServer, Server, ServerConfig};
use sponte_proto::Msat;
use sponte_raw::{Forwards, RawConfig, RawNode};
use std::time::Instant;
use tempfile::TempDir;

const CHANNEL_SAT: u64 = 1_000_000;
/// What alice has in each channel.
const HERS: Msat = Msat::new(900_000_000).expect("below the supply");
/// One part in so many of a channel may be on its way: three shards need three routers.
const IN_FLIGHT_PERCENT: u8 = 2;
/// Commits count from the start of the process; a payment never takes so many.
const MOST: u64 = 100;

/// What is sent, and over how many routers.
struct Way {
    kind: Kind,
    amount: Msat,
    routers: u8,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_paid_once_whenever_its_sender_aborts() {
    let amount = Msat::from_sat(55_000).expect("below the supply");
    every_commit(Way { kind: Kind::Amp, amount, routers: 4 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ecdh_is_paid_once_whenever_its_sender_aborts() {
    let amount = Msat::from_sat(10_000).expect("below the supply");
    every_commit(Way { kind: Kind::Ecdh, amount, routers: 2 }).await;
}

async fn every_commit(way: Way) {
    let kind = way.kind;
    let mut world = World::new(way).await.unwrap();
    for point in ["abort-before", "abort-after"] {
        let mut fired = 0;
        for n in 1.. {
            assert!(n < MOST, "the failpoint always fires");
            let failpoint = format!("{point}={n}");
            let died = world.one(&failpoint).await;
            if !died.unwrap_or_else(|why| panic!("{kind} {failpoint}: {why}")) {
                break;
            }
            fired += 1;
        }
        println!("{kind}: {fired} commits with {point}, {} payments so far failed once", world.failed_once);
        assert!(fired > 3, "it takes more commits than that");
    }
    assert!(world.failed_once > 2, "routers failed parts, and others took their place");
    checks::no_panic(&world.alice).unwrap();
}

/// Alice, who pays, carol, and plain LDK nodes between them, one of which fails what it is to forward.
struct World {
    way: Way,
    alice: Node,
    carol: Node,
    routers: Vec<RawNode>,
    chain: RunningServer,
    payments: usize,
    /// Payments a part of which failed on the way.
    failed_once: usize,
    _folder: TempDir,
}

impl World {
    async fn new(way: Way) -> Outcome<World> {
        let folder = tempfile::tempdir().map_err(|why| format!("no temporary folder: {why}"))?;
        let chain = Server::start(ServerConfig::default()).await.map_err(|why| why.to_string())?;
        let mut alice = Node::make("alice", folder.path()).await?;
        let mut carol = Node::make("carol", folder.path()).await?;
        alice.start(&chain, "").await?;
        carol.start(&chain, "").await?;
        let mut routers = vec![];
        for seed in 1..=way.routers {
            let config = RawConfig { in_flight_percent: IN_FLIGHT_PERCENT, ..RawConfig::default() };
            let router = RawNode::start_with([seed; 32], chain.chain().clone(), config).await;
            routers.push(router.map_err(|why| why.to_string())?);
        }
        let mut world =
            World { way, alice, carol, routers, chain, payments: 0, failed_once: 0, _folder: folder };
        world.channels().await?;
        // The network is on the disk: no kill is an excuse for not knowing the way.
        world.alice.stop().await?;
        world.alice.start(&world.chain, "").await?;
        world.connect().await?;
        Ok(world)
    }

    /// From alice to carol over each router.
    async fn channels(&self) -> Outcome<()> {
        self.connect().await?;
        for router in &self.routers {
            router.open_announced(&self.alice.id(), CHANNEL_SAT, HERS)?;
            router.open_announced(&self.carol.id(), CHANNEL_SAT, Msat::ZERO)?;
            until("its channels are funded", async || Ok((router.funded() == 2).then_some(()))).await?;
        }
        self.chain.chain().mine(6).map_err(|why| why.to_string())?;
        let channels = u32::from(self.way.routers);
        for node in [&self.alice, &self.carol] {
            node.until("can use its channels", |info| info.channels_usable == channels).await?;
            node.until("knows the network", |info| info.graph_channels == 2 * channels).await?;
        }
        Ok(())
    }

    async fn connect(&self) -> Outcome<()> {
        for router in &self.routers {
            for node in [&self.alice, &self.carol] {
                until("a router is connected", async || {
                    if !router.connected(&node.id()) {
                        // One that was killed just now may seem to be there.
                        let _ = router.connect(node.id(), node.listening()).await;
                        tokio::time::sleep(GLANCE).await;
                    }
                    Ok(router.connected(&node.id()).then_some(()))
                })
                .await?;
            }
        }
        Ok(())
    }

    /// One payment with the failpoint armed; answers whether it fired.
    async fn one(&mut self, failpoint: &str) -> Outcome<bool> {
        // Another one each time: alice learns whom to avoid.
        let bad = self.payments % self.routers.len();
        self.routers[bad].choose(Forwards::FailForNow);
        self.payments += 1;
        let ask = self.ask(failpoint);
        self.alice.kill().await;
        let died = match self.alice.start_or_end(&self.chain, failpoint).await? {
            Started::Ended(_) => true,
            Started::Running => self.pay_or_die(&ask).await?,
        };
        // One that lived has its failpoint still.
        let died = died | self.alice.kill().await.is_some();
        self.alice.start(&self.chain, "").await?;
        self.connect().await?;
        // Asked once more, as by a client that was told nothing.
        let detail = ask.ended().await?;
        self.routers[bad].choose(Forwards::Pass);
        self.check(&detail).await?;
        Ok(died)
    }

    fn ask(&self, key: &str) -> Asked {
        let mut ask = Asked::of(&self.alice, self.carol.id(), self.way.amount, key);
        ask.request.kind = Some(self.way.kind);
        ask
    }

    /// Until it is paid, or alice dies before.
    async fn pay_or_die(&mut self, ask: &Asked) -> Outcome<bool> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.alice.end().is_some() {
                return Ok(true);
            }
            for router in &self.routers {
                if !router.connected(&self.alice.id()) {
                    let _ = router.connect(self.alice.id(), self.alice.listening()).await;
                }
            }
            let usable =
                self.alice.info().await.is_ok_and(|info| info.channels_usable == self.routers.len() as u32);
            let ended = if usable { ask.ask(GLANCE).await? } else { None };
            if ended.is_some_and(|detail| detail.payment.state != State::Pending)
                && checks::audited_now(&self.alice).await
            {
                return Ok(false);
            }
            tokio::time::sleep(GLANCE).await;
        }
        Err("the payment neither ends nor is interrupted".into())
    }

    /// It is paid, once, and both ledgers have it so.
    async fn check(&mut self, detail: &PaymentDetail) -> Outcome<()> {
        if detail.payment.state != State::Settled {
            return Err(format!("a crash made it fail: {detail:?}"));
        }
        let parts = || detail.attempts.iter().flat_map(|attempt| &attempt.parts);
        let failed = parts().any(|part| part.failure.as_ref().is_some_and(|failure| failure.hop == Some(1)));
        self.failed_once += usize::from(failed);
        until("carol has booked it", async || {
            let received = self.received().await?;
            let booked = received.iter().all(|payment| payment.state == State::Settled);
            Ok((booked && received.len() == self.payments).then_some(()))
        })
        .await
        .map_err(|why| format!("{why}; {} were sent", self.payments))?;
        for node in [&self.alice, &self.carol] {
            until("the books agree", async || Ok(checks::audited_now(node).await.then_some(()))).await?;
        }
        Ok(())
    }

    /// Everything that carol has ever received.
    async fn received(&self) -> Outcome<Vec<Payment>> {
        let query =
            PaymentsQuery { direction: Some(Direction::In), limit: Some(1_000), ..PaymentsQuery::default() };
        let all = self.carol.client()?.payments(&query).await.map_err(|why| why.to_string())?.payments;
        if let Some(other) = all.iter().find(|payment| payment.amount_msat != self.way.amount) {
            return Err(format!("carol has received {other:?}"));
        }
        Ok(all)
    }
}
