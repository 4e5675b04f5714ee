//! Senders of every kind, honest ones and others.

use crate::rig::{channel, msat};
use crate::world::Random;
use sponte_engine::backend::{AmpShard, Claimable, Purpose};
use sponte_proto::amp::{AmpRecord, Child, Root, SetId, Sharer};
use sponte_proto::ecdh::Version;
use sponte_proto::mpp::PaymentData;
use sponte_proto::{
    BlockHeight, CltvExpiry, PaymentHash, PaymentId, PaymentSecret, Preimage, Records, TEXT_RECORD,
};

/// 32 bytes of a number, none of them like those of another kind.
pub fn bytes(kind: u8, number: u64) -> [u8; 32] {
    let mut bytes = [kind; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub fn address(number: u64) -> PaymentSecret {
    PaymentSecret::from_bytes(bytes(1, number))
}

/// A part without a purpose.
fn part(number: u64, hash: PaymentHash, amount_msat: u64) -> Claimable {
    Claimable {
        id: PaymentId::from_bytes(bytes(2, number)),
        hash,
        amount: msat(amount_msat),
        channels: vec![channel(1 + (number % 2) as u8)],
        expiry: Some(CltvExpiry::new(800_039)),
        claim_deadline: Some(BlockHeight::new(800_000)),
        records: Records::new(),
        purpose: Purpose::Unknown,
    }
}

pub fn preimage_of(number: u64) -> Preimage {
    Preimage::from_bytes(bytes(3, number))
}

pub fn keysend_of(number: u64, amount_msat: u64, preimage: Preimage) -> Claimable {
    let purpose = Purpose::Keysend { preimage: preimage.clone(), payment_data: None };
    Claimable { purpose, ..part(number, preimage.payment_hash(), amount_msat) }
}

/// One part of a keysend in many.
pub fn mpp_keysend_of(number: u64, amount_msat: u64, total_msat: u64, preimage: Preimage) -> Claimable {
    let data = PaymentData::new(PaymentSecret::from_bytes(preimage.to_bytes()), msat(total_msat));
    let purpose = Purpose::Keysend { preimage: preimage.clone(), payment_data: Some(data) };
    Claimable { purpose, ..keysend_of(number, amount_msat, preimage) }
}

/// An invoice of ours in two parts, which the backend shows as one.
pub fn bolt11_of(number: u64, amount_msat: u64, preimage: Preimage) -> Claimable {
    let channels = vec![channel(1), channel(2)];
    let purpose = Purpose::Bolt11 { preimage: preimage.clone() };
    Claimable { channels, purpose, ..part(number, preimage.payment_hash(), amount_msat) }
}

pub fn ecdh_of(number: u64, amount_msat: u64, version: Version) -> Claimable {
    let preimage = preimage_of(number);
    Claimable {
        purpose: Purpose::Ecdh { version, preimage: preimage.clone() },
        ..keysend_of(number, amount_msat, preimage)
    }
}

/// Shards of one set, 1,000 msat each, that sum up to their total.
pub fn amp_of(number: u64, addr: &PaymentSecret, set: u64, shards: u64) -> Vec<Claimable> {
    let set_id = SetId::from_bytes(bytes(4, set));
    let total = msat(1_000 * shards);
    let shard = |(child, nth): (Child, u64)| {
        let record = child.record(set_id);
        let shard = AmpShard { payment_data: PaymentData::new(addr.clone(), total), record };
        let purpose = Purpose::Amp(Box::new(shard));
        Claimable { purpose, ..part(number + nth, child.payment_hash(), 1_000) }
    };
    children(number, shards).into_iter().zip(0..).map(shard).collect()
}

/// Children of a tree that always splits to the right.
fn children(seed: u64, number: u64) -> Vec<Child> {
    let mut rest = Sharer::new(Root::from_bytes(bytes(5, seed)));
    let mut children = vec![];
    for nth in 1..number {
        let (left, right) = rest.split(bytes(6, seed + nth)).expect("not zero");
        children.push(left.child(nth as u32));
        rest = right;
    }
    children.push(rest.child(0));
    children
}

/// Changes what a shard says.
pub fn reshard(claimable: &mut Claimable, change: impl FnOnce(&mut PaymentData, &mut AmpRecord)) {
    if let Purpose::Amp(shard) = &mut claimable.purpose {
        change(&mut shard.payment_data, &mut shard.record);
    }
}

/// What somebody sends: parts of one set, in any order, perhaps wrong ones. `number` is the first
/// of 16 that are this sender's alone; hashes, addresses and sets may be those of others.
pub fn random_set(random: &mut Random, number: u64, height: u32) -> Vec<Claimable> {
    let mut parts = match random.below(9) {
        0 => vec![keysend_of(number, 1 + random.next() % 5_000, preimage_of(random.next() % 6))],
        1 => {
            let preimage = preimage_of(random.next() % 6);
            let mut parts: Vec<_> = (0..1 + random.next() % 3)
                .map(|nth| mpp_keysend_of(number + nth, 1_000, 2_000, preimage.clone()))
                .collect();
            // LDK shows a whole set at once.
            if random.one_in(2) {
                parts.truncate(1);
                parts[0].amount = msat(2_000);
                parts[0].channels = vec![channel(1), channel(2)];
            }
            parts
        }
        2 => vec![ecdh_of(number, 700, random.pick([Version::Ecdh0, Version::Ecdh1]).expect("some"))],
        4 => vec![bolt11_of(number, 2_000 + random.next() % 5_000, preimage_of(random.next() % 6))],
        3 => vec![part(number, preimage_of(random.next() % 6).payment_hash(), 5)],
        _ => amp(random, number),
    };
    for claimable in &mut parts {
        let left = if random.one_in(12) { 2 } else { 6 + (random.next() % 30) as u32 };
        claimable.claim_deadline = Some(BlockHeight::new(height + left));
        claimable.expiry = Some(CltvExpiry::new(height + left + 39));
        if random.one_in(4) {
            claimable.records = Records::from_received([(TEXT_RECORD, vec![b'a'; 4])]);
        }
    }
    for at in (1..parts.len()).rev() {
        parts.swap(at, random.below(at + 1));
    }
    parts
}

fn amp(random: &mut Random, number: u64) -> Vec<Claimable> {
    let addr = address(random.next() % 6);
    let set = if random.one_in(5) { random.next() % 4 } else { number };
    let shards = 1 + random.next() % 4;
    let mut parts = amp_of(number, &addr, set, shards);
    let at = random.below(parts.len());
    match random.below(14) {
        // One too few: never complete. Or too many for the total: the last one is late.
        0 => drop(parts.remove(at)),
        1 => parts.extend(amp_of(number + 8, &addr, set, 1)),
        2 => reshard(&mut parts[at], |_, record| record.child_index += 1),
        3 => reshard(&mut parts[at], |data, _| *data = PaymentData::new(addr, msat(900))),
        4 => {
            let twin = Claimable { id: PaymentId::from_bytes(bytes(2, number + 9)), ..parts[at].clone() };
            parts.push(twin);
        }
        5 => parts.iter_mut().for_each(|part| {
            reshard(part, |_, record| record.set_id = SetId::from_bytes([0; 32]));
        }),
        6 => parts[at].amount = msat(1_500),
        7 => parts[at].amount = msat(0),
        _ => {}
    }
    parts
}
