//! The bytes that 10,000 waiting parts take: in the engine, and in what translation remembers of
//! their HTLCs. LDK's own state is not there. Fails if it is more than the aim.

use lightning::ln::types::ChannelId;
use peak_alloc::PeakAlloc;
use sponte_engine::backend::{AmpShard, BackendEvent, Claimable, Command, Purpose, Recovered};
use sponte_engine::commit::{KvBatch, Snapshot};
use sponte_engine::{Config, Engine, Fact, Input, MAX_SETS, MAX_WAITING_BYTES, NodeSecret, Output};
use sponte_ldk::htlcs::{Htlc, Htlcs};
use sponte_ldk::translate::Kind;
use sponte_proto::amp::{AmpRecord, SetId, Share};
use sponte_proto::mpp::PaymentData;
use sponte_proto::onion::SharedSecret;
use sponte_proto::{
    BlockHeight, CltvExpiry, Msat, NodeId, PaymentHash, PaymentId, PaymentSecret, Records, Timestamp,
};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const PARTS: usize = 10_000;
/// As many sets as may be open, so that none is full.
const PARTS_PER_SET: usize = PARTS / MAX_SETS;
/// BOLT 2: what a peer may have in one channel.
const HTLCS_PER_CHANNEL: usize = 483;
/// A record that all parts together have room for below the engine's limit, which counts half a
/// kilobyte for a part and some bytes for a record.
const RECORD_BYTES: usize = MAX_WAITING_BYTES / PARTS - 512 - 32;
const AIM: usize = 50_000_000;

/// Not like the bytes of any other kind or number.
fn bytes(kind: u8, number: usize) -> [u8; 32] {
    let mut bytes = [kind; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn hash(number: usize) -> PaymentHash {
    PaymentHash::from_bytes(bytes(1, number))
}

fn channel(number: usize) -> [u8; 32] {
    bytes(2, number / HTLCS_PER_CHANNEL)
}

/// One of a set that is worth one part more than there are.
fn part(number: usize, record: Option<usize>) -> Claimable {
    let set = number / PARTS_PER_SET;
    let sat = |sat: usize| Msat::from_sat(sat as u64).expect("small");
    let shard = AmpShard {
        payment_data: PaymentData::new(PaymentSecret::from_bytes(bytes(3, set)), sat(PARTS_PER_SET + 1)),
        record: AmpRecord {
            root_share: Share::from_bytes(bytes(4, number)),
            set_id: SetId::from_bytes(bytes(5, set)),
            child_index: number as u32,
        },
    };
    Claimable {
        id: PaymentId::from_bytes(bytes(6, number)),
        hash: hash(number),
        amount: sat(1),
        channels: vec![sponte_proto::ChannelId::from_bytes(channel(number))],
        expiry: Some(CltvExpiry::new(800_039)),
        claim_deadline: Some(BlockHeight::new(800_000)),
        records: Records::from_received(record.map(|length| (65_537, vec![7; length]))),
        purpose: Purpose::Amp(Box::new(shard)),
    }
}

/// The engine when all parts wait, each drained as its commit would be.
fn engine(record: Option<usize>) -> Engine {
    let mut us = [1; 33];
    us[0] = 2;
    let us = NodeId::from_bytes(us).expect("starts with 02");
    let mut engine = Engine::new(Config::new(us, NodeSecret::new([9; 32])), Snapshot::default());
    let now = Timestamp::from_millis(1_700_000_000_000);
    let height = BlockHeight::new(700_000);
    engine.handle_input(Input::Recovered(Recovered { height, ..Recovered::default() }), now);
    while engine.poll_output().is_some() {}
    let mut waiting = 0;
    for number in 0..PARTS {
        let event = BackendEvent::Claimable(Box::new(part(number, record)));
        engine.handle_input(Input::Backend(event, Fact::Amp(Box::default())), now);
        while let Some(output) = engine.poll_output() {
            assert!(!matches!(output, Output::Backend(Command::Fail(..))), "part {number} is refused");
            if let Output::Persist(changes) = output {
                waiting += changes.waiting.len();
            }
        }
    }
    assert_eq!(waiting, PARTS);
    engine
}

/// What is remembered of as many HTLCs, none of it written yet.
fn htlcs() -> Htlcs {
    let htlcs = Htlcs::default();
    for number in 0..PARTS {
        let shared_secret = SharedSecret::from_bytes(bytes(7, number));
        let htlc = Htlc { kind: Kind::Amp, hash: hash(number), shared_secret, code: None };
        let id = (number % HTLCS_PER_CHANNEL) as u64;
        htlcs.note((ChannelId(channel(number)), id), Some(htlc));
    }
    htlcs
}

/// All their rows in one step's batch.
fn rows(htlcs: &Htlcs) -> KvBatch {
    let mut batch = KvBatch::default();
    htlcs.write(&mut batch);
    assert_eq!(batch.entries.len(), PARTS);
    batch
}

/// What a value keeps of the heap, told and counted.
fn measure<T>(what: &str, make: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATOR.current_usage();
    let value = make();
    let kept = ALLOCATOR.current_usage().saturating_sub(before);
    println!("{what}: {kept} bytes, {} a part", kept / PARTS);
    (value, kept)
}

fn main() {
    let (plain, _) = measure("engine, parts without records", || engine(None));
    drop(plain);
    let with_records = format!("engine, parts with a record of {RECORD_BYTES} bytes");
    let (engine, of_engine) = measure(&with_records, || engine(Some(RECORD_BYTES)));
    let (htlcs, of_htlcs) = measure("translation, before its rows are written", htlcs);
    let (rows, of_rows) = measure("translation, all rows in one batch", || rows(&htlcs));
    let all = of_engine + of_htlcs + of_rows;
    println!("the last three: {all} bytes; the aim: below {AIM}");
    assert!(all < AIM);
    drop((engine, htlcs, rows));
}
