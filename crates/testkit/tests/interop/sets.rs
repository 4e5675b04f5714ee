//! AMP sets that never become complete, and sets with a shard that fails and goes out again.

use crate::fields::{assert_forwarded, assert_same_amp, assert_same_amp_in, records};
use crate::table::{Way, begin};
use crate::world::{World, earned_by, listening, lnd, msat, open_channel_of, pay, received, send};
use sponte_engine::commit::{Kind, PartRow};
use sponte_node::PaymentRequest;
use sponte_peers::{Lnd, LndConfig, LndHop, LndInvoiceHtlc, LndPay, until, until_within};
use sponte_proto::amp::{Child, Root, SetId, Sharer};
use sponte_proto::failure::FailureCode;
use sponte_proto::mpp::PaymentData;
use sponte_proto::payload::FinalPayload;
use sponte_proto::{Msat, NodeId, PaymentSecret, Records};
use sponte_testkit::{Net, Outcome, RawHop, RawHtlc, RawNode, Sent, TestNode};
use std::time::Duration;

const SHARD: Msat = Msat::new(20_000_000).unwrap();
/// Two minutes are what both sides wait for the rest of a set.
const PATIENCE: Duration = Duration::from_secs(240);

/// Two shards of which each is the half.
struct Set {
    shards: [Child; 2],
    addr: PaymentSecret,
    id: SetId,
}

impl Set {
    fn new(number: u8) -> Set {
        let sharer = Sharer::new(Root::from_bytes([number; 32]));
        let (left, right) = sharer.split([number + 1; 32]).expect("a share");
        let shards = [left.child(0), right.child(1)];
        let (addr, id) = (PaymentSecret::from_bytes([number + 2; 32]), SetId::from_bytes([number + 3; 32]));
        Set { shards, addr, id }
    }

    fn total() -> Msat {
        msat(2 * SHARD.to_msat())
    }

    fn send(&self, shard: usize, raw: &RawNode, hop: RawHop) -> Sent {
        let shard = &self.shards[shard];
        let (data, record) = (PaymentData::new(self.addr.clone(), Set::total()), shard.record(self.id));
        let hash = RawHtlc::of_hash(shard.payment_hash());
        let payload = Box::new(move |expiry| {
            let mut payload = FinalPayload::new(SHARD, expiry);
            payload.payment_data = Some(data.clone());
            payload.amp = Some(record.clone());
            payload.encode()
        });
        raw.send(RawHtlc { route: vec![hop], amount: SHARD, final_delta: 100, hash, payload })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn lnd_gives_back_what_stays_alone() {
    let net = Net::on_bitcoind().await;
    let lana = lnd(&net, "lana", LndConfig::default()).await;
    let raw = RawNode::start(&net, "raw").await;
    raw.connect(lana.id(), &lana.address()).await;
    let channel = raw.open(&net, lana.id(), 1_000_000, Msat::ZERO).await;
    lana.has_active(1).await;
    let hop = RawHop { node: lana.id(), channel, fee: Msat::ZERO, delta: 0 };

    let cell = begin("AMP set that never completes", Way::ToLnd);
    let alone = Set::new(10);
    let sent = alone.send(0, &raw, hop);
    let hash = alone.shards[0].payment_hash();
    // The invoice is there before its HTLC.
    let accepted = until("LND to hold a shard", async || {
        lana.invoice_with(hash).await.filter(|invoice| !invoice.htlcs.is_empty())
    })
    .await;
    let [htlc] = &accepted.htlcs[..] else { panic!("one HTLC: {accepted:#?}") };
    let amp = htlc.amp.as_ref().expect("a shard");
    assert_eq!((htlc.state.as_str(), htlc.amount), ("ACCEPTED", SHARD));
    assert_eq!((amp.hash, amp.set_id(), amp.child_index), (hash, alone.id.to_bytes(), 0));
    // Beside it a set that is complete.
    let whole = Set::new(50);
    for (sent, shard) in [whole.send(0, &raw, hop), whole.send(1, &raw, hop)].iter().zip(&whole.shards) {
        let Outcome::Settled(preimage) = sent.ended().await else { panic!("the set is complete") };
        assert_eq!(&preimage, shard.preimage());
        let hash = shard.payment_hash();
        let invoice = lana.invoice_with(hash).await.expect("it took the shard");
        let of = |htlc: &&LndInvoiceHtlc| htlc.amp.as_ref().is_some_and(|amp| amp.hash == hash);
        let htlc = invoice.htlcs.iter().find(of).expect("the shard");
        let amp = htlc.amp.as_ref().expect("it is one");
        assert_eq!((htlc.amount, &amp.preimage, amp.set_id()), (SHARD, &preimage, whole.id.to_bytes()));
    }
    let end = until_within(PATIENCE, "LND to give the shard back", async || sent.outcome()).await;
    let Outcome::Failed { hop: 0, failure, .. } = end else { panic!("{end:?}") };
    assert_eq!(failure.code(), FailureCode::MPP_TIMEOUT);
    let invoice = lana.invoice_with(hash).await.expect("it is still told");
    assert_eq!(invoice.htlcs[0].state, "CANCELED");
    cell.passes();
    lana.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn sponte_gives_back_what_lnd_leaves_alone() {
    let world = World::start().await;
    let World { lana, carol, .. } = &world;
    let cell = begin("AMP set that never completes", Way::FromLnd);
    let set = Set::new(10);
    let channels = lana.channels().await;
    let channel = channels.iter().find(|one| one.remote_pubkey == carol.id().to_string()).expect("a channel");
    let send = async |shard: &Child| {
        let hop = LndHop {
            to: carol.id(),
            channel: channel.short_channel_id,
            amount: SHARD,
            expiry: world.net.chain().height().await + 100,
            set: (*set.addr.as_bytes(), Set::total()),
            amp: (*shard.share().as_bytes(), set.id.to_bytes(), shard.child_index()),
            records: Records::new(),
        };
        lana.send(shard.payment_hash(), hop).await.expect("it leaves")
    };
    let failed = send(&set.shards[0]).await;
    let failure = failed.failure.expect("it failed");
    assert_eq!((failure.code.as_str(), failure.failure_source_index), ("MPP_TIMEOUT", 1));
    assert!(received(carol).is_empty(), "nothing was complete");
    // The same set again, and whole this time.
    let (first, second) = tokio::join!(send(&set.shards[0]), send(&set.shards[1]));
    let preimages = [&first.preimage, &second.preimage];
    assert_eq!(preimages, [set.shards[0].preimage(), set.shards[1].preimage()]);
    let row = received(carol).remove(0);
    assert_eq!((row.amount, row.receipt.set_id), (Set::total(), Some(set.id)));
    let parts = carol.handle().ledger().parts(&row.id).expect("the ledger reads");
    for shard in &set.shards {
        let same = |part: &&PartRow| part.claim.hash == Some(shard.payment_hash());
        let part = parts.iter().find(same).expect("the shard");
        assert_eq!((part.amount, part.claim.preimage.as_ref()), (SHARD, Some(shard.preimage())));
    }
    cell.passes();
    world.audited().await;
}

/// alice pays lutz by lana, which is cheaper and has too little there, or by carol.
struct Square {
    alice: TestNode,
    carol: TestNode,
    lana: Lnd,
    lutz: Lnd,
    net: Net,
}

impl Square {
    async fn start() -> Square {
        let net = Net::on_bitcoind().await;
        let (alice, carol, lana, lutz) = tokio::join!(
            net.node("alice"),
            net.node("carol"),
            lnd(&net, "lana", LndConfig::default()),
            lnd(&net, "lutz", LndConfig::default()),
        );
        let square = Square { alice, carol, lana, lutz, net };
        square.open().await;
        square
    }

    async fn open(&self) {
        let Square { alice, carol, lana, lutz, net } = self;
        for _ in 0..3 {
            send(net, &alice.address().await, 2_000_000).await;
        }
        send(net, &carol.address().await, 5_000_000).await;
        send(net, &lana.coin_address().await, 5_000_000).await;
        self.mine(1).await;
        until("coins of sponte", async || {
            let coins = [alice.balance().await.confirmed, carol.balance().await.confirmed];
            coins.iter().all(|coins| coins.to_sat() >= 5_000_000).then_some(())
        })
        .await;
        until("coins of LND", async || (lana.confirmed_sat().await > 0).then_some(())).await;
        lana.connect(alice.id(), &listening(alice).await).await;
        lana.connect(lutz.id(), &lutz.address()).await;
        lutz.connect(carol.id(), &listening(carol).await).await;
        alice.connect(carol).await;
        open_channel_of(alice, lana.id(), 1_000_000, Msat::ZERO).await;
        open_channel_of(alice, carol.id(), 1_000_000, Msat::ZERO).await;
        open_channel_of(alice, carol.id(), 1_000_000, Msat::ZERO).await;
        open_channel_of(carol, lutz.id(), 2_000_000, Msat::ZERO).await;
        // Of what is left, the reserve is 20,000.
        lana.open(lutz.id(), 2_000_000, 1_970_000).await;
        net.mempool_holds(5).await;
        self.mine(6).await;
        for (lnd, channels) in [(lana, 2), (lutz, 2)] {
            lnd.has_active(channels).await;
            until("LND to hear of all channels", async || lnd.knows(5).await.then_some(())).await;
        }
        for (node, channels) in [(alice, 3), (carol, 3)] {
            until("sponte to hear of all channels", async || {
                let usable = node.channels().await.iter().filter(|one| TestNode::usable(one)).count();
                (usable == channels && node.info().await.graph_channels == 5).then_some(())
            })
            .await;
        }
    }

    /// What HTLCs cost, by the router that each passed, is what the two have earned.
    async fn assert_earned(&self, before: u64, cost: Vec<(NodeId, (Msat, Msat))>) {
        let by = |router| cost.iter().filter(move |(by, _)| *by == router).map(|(_, cost)| *cost);
        let fees = by(self.carol.id()).map(|(_, fee)| fee.to_msat()).sum::<u64>();
        until("carol to have booked what she forwarded", async || {
            (earned_by(&self.carol) == before + fees).then_some(())
        })
        .await;
        assert_forwarded(&self.lana, by(self.lana.id()).collect()).await;
        assert_eq!(by(self.carol.id()).count() + by(self.lana.id()).count(), cost.len());
    }

    async fn mine(&self, blocks: u32) {
        self.net.mine_and_sync(blocks, &[&self.alice, &self.carol]).await;
        let tip = self.net.chain().tip_hash().await.to_string();
        for lnd in [&self.lana, &self.lutz] {
            lnd.reached(&tip).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs bitcoind and LND: ci/peers/install"]
async fn a_shard_that_fails_goes_out_again() {
    let square = Square::start().await;
    let Square { alice, carol, lana, lutz, .. } = &square;
    let row = "AMP with a shard that fails and is sent again";
    let sent = records(&[(70_001, "odd")]);

    let cell = begin(row, Way::ToLnd);
    let request = PaymentRequest {
        kind: Some(Kind::Amp),
        fall_back: Some(false),
        records: sent.clone(),
        max_attempts: 30,
        ..TestNode::request_to(lutz.id(), "1500000sat")
    };
    let told = pay(alice, request).await;
    let shards = told.settled().len();
    assert_same_amp(&told, lutz, shards).await;
    let cost = told.settled().into_iter().map(|part| (part.route[0], (part.amount, part.fee)));
    square.assert_earned(0, cost.collect()).await;
    assert_eq!(told.attempts.len(), 1, "one set: {told:#?}");
    let failure =
        told.failed().first().unwrap_or_else(|| panic!("a shard by lana failed: {told:#?}")).sent.failure;
    let failure = failure.expect("it failed");
    assert_eq!((failure.hop, failure.code), (Some(1), Some(FailureCode::TEMPORARY_CHANNEL_FAILURE)));
    cell.passes();

    let cell = begin(row, Way::FromLnd);
    let pay = LndPay::amp(alice.id(), msat(900_000_000), &sent).parts(16).shards_of(msat(300_000_000));
    let before = earned_by(carol);
    let paid = lutz.pay(pay).await.expect("it begins");
    let succeeded: Vec<_> = paid.attempts.iter().filter(|one| one.status == "SUCCEEDED").collect();
    assert_same_amp_in(&paid, alice, succeeded.len(), &sent).await;
    let cost = succeeded.iter().map(|one| (one.route.first(), (one.amount(), one.route.fees)));
    square.assert_earned(before, cost.collect()).await;
    let failed = paid.attempts.iter().find_map(|one| one.failure.as_ref());
    let failure = failed.unwrap_or_else(|| panic!("a shard by lana failed: {paid:#?}"));
    assert_eq!((failure.code.as_str(), failure.failure_source_index), ("TEMPORARY_CHANNEL_FAILURE", 1));
    cell.passes();
    for lnd in [lana, lutz] {
        lnd.quiet().await;
    }
    for node in [alice, carol] {
        node.audited().await;
    }
}
