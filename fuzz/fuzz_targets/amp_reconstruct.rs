//! Any shards at all: two amounts and 104 bytes for each shard. Nothing the fuzzer invents has hashes that fit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_proto::amp::{Shard, Share, reconstruct};
use sponte_proto::{Msat, PaymentHash};

fn amount(bytes: &[u8]) -> Msat {
    let msat = bytes.iter().fold(0, |msat, byte| msat << 8 | u64::from(*byte));
    Msat::new(msat).unwrap_or(Msat::MAX)
}

fn shard(bytes: &[u8]) -> Option<Shard> {
    let (share, rest) = bytes.split_first_chunk()?;
    let (hash, rest) = rest.split_first_chunk()?;
    let (index, msat) = rest.split_first_chunk()?;
    Some(Shard {
        share: Share::from_bytes(*share),
        payment_hash: PaymentHash::from_bytes(*hash),
        child_index: u32::from_be_bytes(*index),
        amount: amount(msat),
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((total, rest)) = data.split_first_chunk::<8>() else { return };
    let shards: Vec<Shard> = rest.chunks(76).filter_map(shard).collect();
    if let Ok(preimages) = reconstruct(&shards, amount(total)) {
        assert!(preimages.iter().zip(&shards).all(|(preimage, shard)| preimage.opens(&shard.payment_hash)));
    }
});
