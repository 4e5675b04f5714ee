//! Every kind to a node of ours, directly, through another one, and through plain LDK.

use sponte_engine::commit::{Direction, Kind, PaymentRow, State};
use sponte_proto::amp::{AmpRecord, Child, Root, SetId, Sharer};
use sponte_proto::ecdh::{ECDH_RECORD, Version};
use sponte_proto::failure::FailureCode;
use sponte_proto::mpp::PaymentData;
use sponte_proto::payload::FinalPayload;
use sponte_proto::{Msat, PaymentSecret, Preimage, Records, ShortChannelId};
use sponte_store::PaymentsQuery;
use sponte_testkit::{Net, Outcome, RawHop, RawHtlc, RawNode, Sent, TestNode, until};

const AMOUNT: Msat = msat(50_000);
const DELTA: u16 = 100;

const fn msat(msat: u64) -> Msat {
    Msat::new(msat).expect("in supply")
}

/// A payer, and its route to the node that is paid.
struct Payer {
    raw: RawNode,
    route: Vec<RawHop>,
}

fn last(node: &TestNode, channel: ShortChannelId) -> RawHop {
    RawHop { node: node.id(), channel, fee: Msat::ZERO, delta: 0 }
}

async fn open(net: &Net, raw: &RawNode, to: &TestNode) -> ShortChannelId {
    raw.connect(to.id(), &to.info().await.listening.expect("it listens")).await;
    let channel = raw.open(net, to.id(), 1_000_000, Msat::ZERO).await;
    net.synced(&[to]).await;
    channel
}

impl Payer {
    async fn direct(net: &Net, to: &TestNode) -> Payer {
        let raw = RawNode::start(net, "raw").await;
        let channel = open(net, &raw, to).await;
        Payer { raw, route: vec![last(to, channel)] }
    }

    /// Through a plain LDK node that nothing of ours stands before.
    async fn through_plain_ldk(net: &Net, to: &TestNode) -> Payer {
        let (raw, plain) = (RawNode::start(net, "raw").await, RawNode::start(net, "plain").await);
        raw.connect(plain.id(), &plain.address()).await;
        let first = raw.open(net, plain.id(), 1_000_000, Msat::ZERO).await;
        let second = open(net, &plain, to).await;
        let hop = RawHop { node: plain.id(), channel: first, fee: RawNode::FEE, delta: RawNode::DELTA };
        // The plain node must live as long as the payer.
        Box::leak(Box::new(plain));
        Payer { raw, route: vec![hop, last(to, second)] }
    }

    fn send(
        &self,
        hash: Box<dyn Fn(&sponte_proto::onion::SharedSecret) -> sponte_proto::PaymentHash>,
        change: impl Fn(&mut FinalPayload) + Send + Sync + 'static,
    ) -> Sent {
        let payload = move |expiry| {
            let mut payload = FinalPayload::new(AMOUNT, expiry);
            change(&mut payload);
            payload.encode()
        };
        let route = self.route.clone();
        self.raw.send(RawHtlc { route, amount: AMOUNT, final_delta: DELTA, hash, payload: Box::new(payload) })
    }

    fn shard(&self, shard: &Child, data: PaymentData, set: SetId) -> Sent {
        let record = shard.record(set);
        self.amp(shard.payment_hash(), Some(data), record)
    }

    fn amp(&self, hash: sponte_proto::PaymentHash, data: Option<PaymentData>, record: AmpRecord) -> Sent {
        self.send(RawHtlc::of_hash(hash), move |payload| {
            payload.payment_data.clone_from(&data);
            payload.amp = Some(record.clone());
            payload.custom_records = Records::from_received([(70_002, b"even".to_vec())]);
        })
    }

    fn ecdh(&self, version: Version) -> Sent {
        self.send(RawHtlc::of_ecdh(version), move |payload| {
            let marker = version.record().map(|value| (ECDH_RECORD.to_u64(), value.to_vec()));
            payload.custom_records = Records::from_received(marker);
        })
    }

    async fn assert_refused(&self, sent: &Sent, code: FailureCode) {
        assert_eq!(sent.refused(self.route.len() - 1).await.code(), code);
    }
}

/// A set of three shards.
fn shards(number: u8) -> (Vec<Child>, PaymentData, SetId) {
    let (left, rest) = Sharer::new(Root::from_bytes([number; 32])).split([number + 1; 32]).expect("a share");
    let (middle, right) = rest.split([number + 2; 32]).expect("a share");
    let shards = [left, middle, right].iter().zip(0..).map(|(sharer, index)| sharer.child(index)).collect();
    let data = PaymentData::new(PaymentSecret::from_bytes([number + 3; 32]), msat(3 * AMOUNT.to_msat()));
    (shards, data, SetId::from_bytes([number + 4; 32]))
}

async fn received(node: &TestNode, kind: Kind) -> PaymentRow {
    until("a payment of the kind", async || {
        let query = PaymentsQuery { direction: Some(Direction::In), ..PaymentsQuery::default() };
        let page = node.handle().ledger().payments(query).expect("the ledger reads");
        page.rows.into_iter().find(|row| row.kind == kind && row.state == State::Settled)
    })
    .await
}

async fn every_kind(payer: &Payer, to: &TestNode) {
    let (set, data, id) = shards(10);
    let sent: Vec<Sent> = set.iter().map(|shard| payer.shard(shard, data.clone(), id)).collect();
    for (sent, shard) in sent.iter().zip(&set) {
        assert_eq!(sent.ended().await, Outcome::Settled(shard.preimage().clone()));
    }
    let row = received(to, Kind::Amp).await;
    assert_eq!(row.amount, data.total());
    assert_eq!(row.records.value(70_002), Some(&b"even"[..]));

    assert!(matches!(payer.ecdh(Version::Ecdh1).ended().await, Outcome::Settled(_)));
    assert_eq!(received(to, Kind::Ecdh).await.amount, AMOUNT);

    let preimage = Preimage::from_bytes([1; 32]);
    let data = PaymentData::new(PaymentSecret::from_bytes([2; 32]), msat(2 * AMOUNT.to_msat()));
    let part = || {
        let (data, preimage) = (data.clone(), preimage.clone());
        payer.send(RawHtlc::of_hash(preimage.payment_hash()), move |payload| {
            payload.keysend = Some(preimage.clone());
            payload.payment_data = Some(data.clone());
        })
    };
    let parts = [part(), part()];
    for part in &parts {
        assert_eq!(part.ended().await, Outcome::Settled(preimage.clone()));
    }
    assert_eq!(received(to, Kind::MppKeysend).await.amount, data.total());
}

async fn every_refusal(payer: &Payer) {
    let unknown = FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS;
    let (set, data, id) = shards(30);
    // A shard without a payment address; a kind that is off beside one that is on.
    let without_data = payer.amp(set[0].payment_hash(), None, set[0].record(id));
    payer.assert_refused(&without_data, unknown).await;
    payer.assert_refused(&payer.ecdh(Version::Ecdh0), unknown).await;
    // A wrong share: the set alone.
    let wrong = AmpRecord { child_index: 77, ..set[2].record(id) };
    let sent = [
        payer.shard(&set[0], data.clone(), id),
        payer.shard(&set[1], data.clone(), id),
        payer.amp(set[2].payment_hash(), Some(data), wrong),
    ];
    for sent in &sent {
        payer.assert_refused(sent, unknown).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directly() {
    let net = Net::start().await;
    let carol = net.node("carol").await;
    let payer = Payer::direct(&net, &carol).await;
    every_kind(&payer, &carol).await;
    every_refusal(&payer).await;
    until("the rows of HTLCs that are gone to go", async || {
        carol.stored_keys("ldk.htlc").is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_plain_ldk() {
    let net = Net::start().await;
    let carol = net.node("carol").await;
    let payer = Payer::through_plain_ldk(&net, &carol).await;
    every_kind(&payer, &carol).await;
    every_refusal(&payer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_waits_over_a_restart_and_times_out_as_such() {
    let net = Net::start().await;
    let mut carol = net.node("carol").await;
    let payer = Payer::direct(&net, &carol).await;
    let (set, data, id) = shards(50);
    let first = payer.shard(&set[0], data, id);
    until("the shard's row", async || (!carol.stored_keys("ldk.htlc").is_empty()).then_some(())).await;
    carol.stop().await;
    carol.run().await;
    assert_eq!(first.outcome(), None);
    payer.raw.connect(carol.id(), &carol.info().await.listening.expect("it listens")).await;
    // Three blocks before the deadline of LDK, which counts from the block that is next.
    net.mine_and_sync(u32::from(DELTA) - 39 - 2, &[&carol]).await;
    payer.assert_refused(&first, FailureCode::MPP_TIMEOUT).await;
}
