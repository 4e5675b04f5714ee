//! From root and share to a shard's preimage and hash.

use super::{AmpRecord, Root, SetId, Share};
use crate::{PaymentHash, Preimage};
use bitcoin_hashes::{Hash as _, HashEngine as _, sha256};

/// A shard as its payer knows it.
///
/// `preimage = SHA256(root ‖ share ‖ child_index)`, the index as 4 bytes big-endian however the
/// record shortens it (lnd at 90ea05d5a, `amp/child.go`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    share: Share,
    child_index: u32,
    preimage: Preimage,
    payment_hash: PaymentHash,
}

impl Child {
    /// The shard of a share and an index.
    pub fn derive(root: &Root, share: Share, child_index: u32) -> Child {
        let preimage = derive_preimage(root, &share, child_index);
        Child { payment_hash: preimage.payment_hash(), share, child_index, preimage }
    }

    /// Its share of the root.
    pub const fn share(&self) -> &Share {
        &self.share
    }

    /// Tells shards of one share apart.
    pub const fn child_index(&self) -> u32 {
        self.child_index
    }

    /// What claims its HTLC.
    pub const fn preimage(&self) -> &Preimage {
        &self.preimage
    }

    /// What its HTLC is locked to.
    pub const fn payment_hash(&self) -> PaymentHash {
        self.payment_hash
    }

    /// The record that its final payload carries.
    pub fn record(&self, set_id: SetId) -> AmpRecord {
        AmpRecord { root_share: self.share.clone(), set_id, child_index: self.child_index }
    }
}

pub(super) fn derive_preimage(root: &Root, share: &Share, child_index: u32) -> Preimage {
    let mut engine = sha256::Hash::engine();
    engine.input(root.as_bytes());
    engine.input(share.as_bytes());
    engine.input(&child_index.to_be_bytes());
    Preimage::from_bytes(sha256::Hash::from_engine(engine).to_byte_array())
}
