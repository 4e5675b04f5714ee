//! A set of three AMP shards: the receiver aborts before or after each commit of its start, its
//! receipt, its settling or its canceling. The sender, a plain LDK node, sees all of it settled or
//! all of it failed, and so does the ledger.

use crate::checks;
use crate::node::{Node, Started};
use crate::until::{GLANCE, Outcome, PATIENCE, until};
use sponte_api::{Code, Direction, Hold, PageQuery, Payment, PaymentsQuery, Receive, State};
use sponte_chain::{RunningServer, Server, ServerConfig};
use sponte_proto::amp::{Child, Root, SetId, Sharer};
use sponte_proto::failure::FailureCode;
use sponte_proto::mpp::PaymentData;
use sponte_proto::payload::FinalPayload;
use sponte_proto::{Msat, PaymentSecret, ShortChannelId};
use sponte_raw::{Outcome as End, RawHop, RawHtlc, RawNode, Sent};
use std::time::Instant;
use tempfile::TempDir;

const CHANNEL_SAT: u64 = 1_000_000;
const SHARD: Msat = Msat::new(50_000).expect("below the supply");
const TOTAL: Msat = Msat::new(150_000).expect("below the supply");
/// Blocks that are left at the receiver's end, enough to hold.
const DELTA: u16 = 100;
/// Commits count from the start of the process; a set never takes so many.
const MOST: u64 = 100;

/// What becomes of the sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Taken,
    HeldAndSettled,
    HeldAndCanceled,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_taken_whole_whenever_its_receiver_aborts() {
    every_commit(Fate::Taken).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_set_is_settled_whole_whenever_its_receiver_aborts() {
    every_commit(Fate::HeldAndSettled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_set_is_canceled_whole_whenever_its_receiver_aborts() {
    every_commit(Fate::HeldAndCanceled).await;
}

async fn every_commit(fate: Fate) {
    let mut world = World::new(fate).await.unwrap();
    for point in ["abort-before", "abort-after"] {
        let mut fired = 0;
        for n in 1.. {
            assert!(n < MOST, "the failpoint always fires");
            let failpoint = format!("{point}={n}");
            let died = world.one(&failpoint).await;
            if !died.unwrap_or_else(|why| panic!("{fate:?} {failpoint}: {why}")) {
                break;
            }
            fired += 1;
        }
        println!("{fate:?}: {fired} commits with {point}");
        assert!(fired > 3, "it takes more commits than that");
    }
    checks::no_panic(&world.carol).unwrap();
}

/// Carol, who receives, and a plain LDK node with a channel to her.
struct World {
    fate: Fate,
    raw: RawNode,
    carol: Node,
    channel: Option<ShortChannelId>,
    chain: RunningServer,
    sets: u8,
    _folder: TempDir,
}

impl World {
    async fn new(fate: Fate) -> Outcome<World> {
        let folder = tempfile::tempdir().map_err(|why| format!("no temporary folder: {why}"))?;
        let chain = Server::start(ServerConfig::default()).await.map_err(|why| why.to_string())?;
        let mut carol = Node::make("carol", folder.path()).await?;
        carol.start(&chain, "").await?;
        let raw = RawNode::start([7; 32], chain.chain().clone()).await.map_err(|why| why.to_string())?;
        let mut world = World { fate, raw, carol, channel: None, chain, sets: 0, _folder: folder };
        world.connect().await?;
        world.raw.open(&world.carol.id(), CHANNEL_SAT, Msat::ZERO)?;
        until("the channel is funded", async || Ok((world.raw.funded() == 1).then_some(()))).await?;
        world.chain.chain().mine(6).map_err(|why| why.to_string())?;
        world.carol.until("can use its channel", |info| info.channels_usable == 1).await?;
        let id = world.carol.id();
        let channel = until("so can the sender", async || Ok(world.raw.usable(&id).first().copied())).await?;
        world.channel = Some(channel.0);
        if fate != Fate::Taken {
            world.hold().await?;
        }
        Ok(world)
    }

    async fn hold(&self) -> Outcome<()> {
        let client = self.carol.client()?;
        let receive = client.receive().await.map_err(|why| why.to_string())?.receive;
        let set = client.set_receive(&Receive { hold: Hold::All, ..receive }).await;
        set.map(drop).map_err(|why| why.to_string())
    }

    async fn connect(&self) -> Outcome<()> {
        let (id, address) = (self.carol.id(), self.carol.listening());
        until("the sender is connected", async || {
            if !self.raw.connected(&id) {
                // One that was killed just now may seem to be there.
                let _ = self.raw.connect(id, address).await;
                tokio::time::sleep(GLANCE).await;
            }
            Ok(self.raw.connected(&id).then_some(()))
        })
        .await
    }

    /// One set with the failpoint armed; answers whether it fired.
    async fn one(&mut self, failpoint: &str) -> Outcome<bool> {
        self.sets += 1;
        let mut sent = vec![];
        if self.fate != Fate::Taken {
            // It is about what comes after the receipt.
            sent = self.send().await?;
            self.held().await?;
        }
        self.carol.kill().await;
        let mut died = match self.carol.start_or_end(&self.chain, failpoint).await? {
            Started::Ended(_) => true,
            Started::Running => false,
        };
        if !died {
            died = self.play_or_die(&mut sent).await?;
        }
        // One that lived has its failpoint still.
        died |= self.carol.kill().await.is_some();
        self.carol.start(&self.chain, "").await?;
        self.connect().await?;
        if sent.is_empty() {
            sent = self.send().await?;
        }
        self.end(&mut sent).await?;
        Ok(died)
    }

    /// Lets the set come to its end; answers whether carol died before.
    async fn play_or_die(&mut self, sent: &mut Vec<Sent>) -> Outcome<bool> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.carol.end().is_some() {
                return Ok(true);
            }
            if !self.raw.connected(&self.carol.id()) {
                let _ = self.raw.connect(self.carol.id(), self.carol.listening()).await;
            } else if sent.is_empty() && !self.raw.usable(&self.carol.id()).is_empty() {
                *sent = self.shards()?;
            } else if !sent.is_empty() {
                self.send_unsent(sent)?;
                self.decide().await?;
                if sent.iter().all(has_ended) && self.is_settled_down().await {
                    return Ok(false);
                }
            }
            tokio::time::sleep(GLANCE).await;
        }
        Err("the set neither ends nor is interrupted".into())
    }

    /// Decides on whatever is held, if anybody answers.
    async fn decide(&self) -> Outcome<()> {
        let Ok(client) = self.carol.client() else { return Ok(()) };
        let Ok(page) = client.held(&PageQuery::default()).await else { return Ok(()) };
        for held in page.held {
            // Whoever asks a node that dies, or has decided already, is told so.
            let answer = client.decide(held.payment.id, self.fate == Fate::HeldAndSettled).await;
            let expected = [Code::Conflict, Code::NoNode, Code::Busy, Code::Unanswered];
            if let Err(why) = answer
                && !expected.contains(&why.code())
            {
                return Err(format!("the decision is refused: {why}"));
            }
        }
        Ok(())
    }

    async fn held(&self) -> Outcome<()> {
        until("the set is held", async || {
            let page = self.carol.client()?.held(&PageQuery::default()).await;
            Ok((!page.map_err(|why| why.to_string())?.held.is_empty()).then_some(()))
        })
        .await
    }

    async fn send(&self) -> Outcome<Vec<Sent>> {
        self.connect().await?;
        let id = self.carol.id();
        until("the sender can use its channel", async || Ok(self.raw.usable(&id).first().map(drop))).await?;
        self.shards()
    }

    /// Three shards of a set that was never sent before.
    fn shards(&self) -> Outcome<Vec<Sent>> {
        self.children()?.iter().map(|child| self.shard(child)).collect()
    }

    /// Those that never left, because carol was dying, are sent for the first time.
    fn send_unsent(&self, sent: &mut [Sent]) -> Outcome<()> {
        if self.raw.usable(&self.carol.id()).is_empty() {
            return Ok(());
        }
        for (child, sent) in self.children()?.iter().zip(sent) {
            if sent.outcome() == Some(End::Unsent) {
                *sent = self.shard(child)?;
            }
        }
        Ok(())
    }

    fn children(&self) -> Outcome<[Child; 3]> {
        let split = |sharer: Sharer, left| sharer.split(left).map_err(|why| why.to_string());
        let (left, rest) = split(Sharer::new(Root::from_bytes([self.sets; 32])), [self.sets ^ 0x55; 32])?;
        let (middle, right) = split(rest, [self.sets ^ 0x33; 32])?;
        Ok([left.child(0), middle.child(1), right.child(2)])
    }

    fn shard(&self, child: &Child) -> Outcome<Sent> {
        let data = PaymentData::new(PaymentSecret::from_bytes([self.sets; 32]), TOTAL);
        let (node, record) = (self.carol.id(), child.record(SetId::from_bytes([self.sets; 32])));
        let channel = self.channel.ok_or("no channel yet")?;
        self.raw.send(RawHtlc {
            route: vec![RawHop { node, channel, fee: Msat::ZERO, delta: 0 }],
            amount: SHARD,
            final_delta: DELTA,
            hash: RawHtlc::of_hash(child.payment_hash()),
            payload: Box::new(move |expiry| {
                let mut payload = FinalPayload::new(SHARD, expiry);
                payload.payment_data = Some(data.clone());
                payload.amp = Some(record.clone());
                payload.encode()
            }),
        })
    }

    /// All of it has ended the same way, at both ends.
    async fn end(&self, sent: &mut [Sent]) -> Outcome<()> {
        until("the sender has an answer for each shard", async || {
            self.send_unsent(sent)?;
            self.decide().await?;
            Ok(sent.iter().all(has_ended).then_some(()))
        })
        .await?;
        for sent in sent.iter() {
            match (self.fate, sent.outcome()) {
                (Fate::Taken | Fate::HeldAndSettled, Some(End::Settled(preimage)))
                    if preimage.payment_hash() == sent.hash => {}
                (Fate::HeldAndCanceled, Some(End::Failed { hop: 0, failure, .. }))
                    if failure.code() == FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS => {}
                (_, other) => return Err(format!("a shard ended otherwise: {other:?}")),
            }
        }
        until("the ledger says the same", async || {
            let mine = self.payments().await?;
            Ok((mine.len() == 1 && mine[0].state == self.state()).then_some(()))
        })
        .await?;
        until("the books agree", async || Ok(self.is_settled_down().await.then_some(()))).await
    }

    fn state(&self) -> State {
        if self.fate == Fate::HeldAndCanceled { State::Canceled } else { State::Settled }
    }

    /// What the ledger has of the set.
    async fn payments(&self) -> Outcome<Vec<Payment>> {
        let query = PaymentsQuery { direction: Some(Direction::In), ..PaymentsQuery::default() };
        let all = self.carol.client()?.payments(&query).await.map_err(|why| why.to_string())?.payments;
        let set_id = sponte_proto::hex(&[self.sets; 32]);
        let mine = all.into_iter().filter(|payment| payment.set_id.as_ref() == Some(&set_id));
        Ok(mine.filter(|payment| payment.amount_msat == TOTAL).collect())
    }

    async fn is_settled_down(&self) -> bool {
        checks::audited_now(&self.carol).await
    }
}

fn has_ended(sent: &Sent) -> bool {
    sent.outcome().is_some_and(|end| end != End::Unsent)
}
