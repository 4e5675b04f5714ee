//! Every kind to a node of ours, directly, through another one, and through plain LDK.

mod blinded;
mod every;
mod held;
mod invoices;
mod many;
mod refusals;
mod repeats;
mod restarts;

use sponte_engine::commit::{Direction, Kind, PaymentRow, State};
use sponte_proto::amp::{AmpRecord, Child, Root, SetId, Sharer};
use sponte_proto::ecdh::{ECDH_RECORD, Version};
use sponte_proto::failure::FailureCode;
use sponte_proto::mpp::PaymentData;
use sponte_proto::onion::SharedSecret;
use sponte_proto::payload::FinalPayload;
use sponte_proto::{CltvExpiry, Msat, PaymentHash, PaymentSecret, Preimage, Records, ShortChannelId};
use sponte_store::PaymentsQuery;
use sponte_testkit::{Net, Outcome, RawHop, RawHtlc, RawNode, Sent, TestNode, until};

/// What one HTLC carries.
const AMOUNT: Msat = msat(50_000);
/// Blocks that are left at the end.
const DELTA: u16 = 100;
const UNKNOWN: FailureCode = FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS;

const fn msat(msat: u64) -> Msat {
    Msat::new(msat).expect("in supply")
}

/// A payer, and its route to the node that is paid.
struct Payer {
    raw: RawNode,
    route: Vec<RawHop>,
    amount: Msat,
    delta: u16,
    /// Lives as long as the payer.
    _middle: Option<RawNode>,
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

type HashOf = Box<dyn Fn(&SharedSecret) -> PaymentHash>;

impl Payer {
    fn new(raw: RawNode, route: Vec<RawHop>, middle: Option<RawNode>) -> Payer {
        Payer { raw, route, amount: AMOUNT, delta: DELTA, _middle: middle }
    }

    async fn direct(net: &Net, to: &TestNode) -> Payer {
        let raw = RawNode::start(net, "raw").await;
        let channel = open(net, &raw, to).await;
        Payer::new(raw, vec![last(to, channel)], None)
    }

    /// Through a plain LDK node that nothing of ours stands before.
    async fn through_plain_ldk(net: &Net, to: &TestNode) -> Payer {
        let (raw, plain) = (RawNode::start(net, "raw").await, RawNode::start(net, "plain").await);
        raw.connect(plain.id(), &plain.address()).await;
        let first = raw.open(net, plain.id(), 1_000_000, Msat::ZERO).await;
        let second = open(net, &plain, to).await;
        let hop = RawHop { node: plain.id(), channel: first, fee: RawNode::FEE, delta: RawNode::DELTA };
        Payer::new(raw, vec![hop, last(to, second)], Some(plain))
    }

    /// Through a node of ours.
    async fn through(net: &Net, ours: &TestNode, to: &TestNode) -> Payer {
        let raw = RawNode::start(net, "raw").await;
        net.fund(ours, 2_000_000).await;
        net.open(ours, to, 1_000_000, false, &[ours, to]).await;
        let channels = ours.channels().await;
        let second = channels[0].short_channel_id.map(ShortChannelId::new).expect("a usable channel");
        let first = open(net, &raw, ours).await;
        net.synced(&[to]).await;
        // More than the thousandth part and the base that it asks for.
        let hop = RawHop { node: ours.id(), channel: first, fee: msat(10_000), delta: 72 };
        Payer::new(raw, vec![hop, last(to, second)], None)
    }

    fn send(&self, hash: HashOf, change: impl Fn(&mut FinalPayload) + Send + Sync + 'static) -> Sent {
        let amount = self.amount;
        self.send_bytes(hash, move |expiry| {
            let mut payload = FinalPayload::new(amount, expiry);
            change(&mut payload);
            payload.encode()
        })
    }

    fn send_bytes(
        &self,
        hash: HashOf,
        payload: impl Fn(CltvExpiry) -> Vec<u8> + Send + Sync + 'static,
    ) -> Sent {
        let (route, payload) = (self.route.clone(), Box::new(payload));
        self.raw.send(RawHtlc { route, amount: self.amount, final_delta: self.delta, hash, payload })
    }

    fn shard(&self, shard: &Child, data: PaymentData, set: SetId) -> Sent {
        self.amp(shard.payment_hash(), Some(data), shard.record(set))
    }

    fn shards(&self, set: &Set) -> Vec<Sent> {
        set.shards.iter().map(|shard| self.shard(shard, set.data.clone(), set.id)).collect()
    }

    fn amp(&self, hash: PaymentHash, data: Option<PaymentData>, record: AmpRecord) -> Sent {
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

    fn keysend(&self, preimage: &Preimage, data: Option<PaymentData>) -> Sent {
        let (hash, preimage) = (preimage.payment_hash(), preimage.clone());
        self.send(RawHtlc::of_hash(hash), move |payload| {
            payload.keysend = Some(preimage.clone());
            payload.payment_data.clone_from(&data);
        })
    }

    async fn assert_refused(&self, sent: &Sent, code: FailureCode) {
        assert_eq!(sent.refused(self.route.len() - 1).await.code(), code);
    }

    async fn assert_all_refused(&self, sent: &[Sent], code: FailureCode) {
        for sent in sent {
            self.assert_refused(sent, code).await;
        }
    }
}

/// A set of three shards, and what ties them together.
struct Set {
    shards: Vec<Child>,
    data: PaymentData,
    id: SetId,
}

impl Set {
    /// Numbers that differ by less than 5 have something in common.
    fn new(number: u8) -> Set {
        Set::to(PaymentSecret::from_bytes([number + 3; 32]), number)
    }

    fn to(addr: PaymentSecret, number: u8) -> Set {
        Set::worth(msat(3 * AMOUNT.to_msat()), addr, number)
    }

    fn worth(total: Msat, addr: PaymentSecret, number: u8) -> Set {
        let (left, rest) =
            Sharer::new(Root::from_bytes([number; 32])).split([number + 1; 32]).expect("a share");
        let (middle, right) = rest.split([number + 2; 32]).expect("a share");
        let shards =
            [left, middle, right].iter().zip(0..).map(|(sharer, index)| sharer.child(index)).collect();
        Set { shards, data: PaymentData::new(addr, total), id: SetId::from_bytes([number + 4; 32]) }
    }

    /// Every shard is claimed, each with its own preimage.
    async fn assert_settled(&self, sent: &[Sent]) {
        for (sent, shard) in sent.iter().zip(&self.shards) {
            assert_eq!(sent.ended().await, Outcome::Settled(shard.preimage().clone()));
        }
    }
}

fn payments(node: &TestNode) -> Vec<PaymentRow> {
    let query = PaymentsQuery { direction: Some(Direction::In), ..PaymentsQuery::default() };
    node.handle().ledger().payments(query).expect("the ledger reads").rows
}

async fn in_state(node: &TestNode, kind: Kind, state: State) -> PaymentRow {
    until("a payment of the kind", async || {
        payments(node).into_iter().find(|row| row.kind == kind && row.state == state)
    })
    .await
}

async fn received(node: &TestNode, kind: Kind) -> PaymentRow {
    in_state(node, kind, State::Settled).await
}
