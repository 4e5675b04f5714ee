//! Sets of shards: what a payer makes is reconstructed, and with one byte changed it is not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_proto::amp::{Child, ReconstructError, Root, Shard, Share, Sharer, reconstruct};
use sponte_proto::{Msat, PaymentHash};

/// Root and random halves from the first bytes; which share to split by a byte each.
fn children(data: &[u8]) -> Option<(Vec<Child>, &[u8])> {
    let (root, mut rest) = data.split_first_chunk()?;
    let mut open = vec![Sharer::new(Root::from_bytes(*root))];
    while let Some((random, [at, after @ ..])) = rest.split_first_chunk() {
        if *at == 0xff {
            break;
        }
        let parent = open.swap_remove(usize::from(*at) % open.len());
        let (left, right) = parent.split(*random).ok()?;
        open.extend([left, right]);
        rest = after;
    }
    let children = open.iter().zip(0..).map(|(sharer, index)| sharer.child(index)).collect();
    Some((children, rest))
}

fn shard(child: &Child) -> Shard {
    Shard {
        share: child.share().clone(),
        child_index: child.child_index(),
        payment_hash: child.payment_hash(),
        amount: Msat::from_sat(1).expect("small"),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((children, rest)) = children(data) else { return };
    let mut shards: Vec<Shard> = children.iter().map(shard).collect();
    let total = Msat::from_sat(shards.len() as u64).expect("small");
    let preimages = reconstruct(&shards, total).expect("all shards are here");
    assert!(preimages.iter().zip(&children).all(|(preimage, child)| preimage == child.preimage()));

    let [at, byte, flip, ..] = rest else { return };
    let at = usize::from(*at) % shards.len();
    if *flip == 0 {
        let last = shards.swap_remove(at);
        assert!(matches!(reconstruct(&shards, total), Err(ReconstructError::Missing { .. })));
        shards.push(Shard { payment_hash: PaymentHash::from_bytes([*byte; 32]), ..last });
        assert!(reconstruct(&shards, total).is_err());
    } else {
        let mut share = *shards[at].share.as_bytes();
        share[usize::from(*byte) % 32] ^= flip;
        shards[at].share = Share::from_bytes(share);
        assert!(reconstruct(&shards, total).is_err());
    }
});
