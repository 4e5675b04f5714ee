//! AMP, atomic multi-path payments, as LND has them: no BOLT or bLIP defines them (lnd at 90ea05d5a:
//! `record/amp.go`, `amp/child.go`, `amp/sharer.go`).
//!
//! A payer draws a root and splits it into shares whose XOR it is, one for each shard (an HTLC). A
//! shard's preimage follows from the root and its share, so each has another hash, and whoever
//! lacks one share can derive none of them: the receiver takes all or nothing.
//!
//! ```
//! use sponte_proto::amp::{Root, SetId, Shard, Sharer, reconstruct};
//! use sponte_proto::Msat;
//!
//! // The payer: two shards. The bytes are random.
//! let sharer = Sharer::new(Root::from_bytes([1; 32]));
//! let (left, right) = sharer.split([2; 32])?;
//! let children = [left.child(0), right.child(1)];
//! let set_id = SetId::from_bytes([3; 32]);
//! let record = children[0].record(set_id).encode();
//! assert_eq!(record.len(), 64); // type 14 of this shard's final payload
//!
//! // The receiver: from the records and hashes of both HTLCs, both preimages.
//! let amount = Msat::from_sat(50).expect("small");
//! let shards = children.each_ref().map(|child| Shard {
//!     share: child.share().clone(),
//!     child_index: child.child_index(),
//!     payment_hash: child.payment_hash(),
//!     amount,
//! });
//! let preimages = reconstruct(&shards, Msat::from_sat(100).expect("small"))?;
//! assert_eq!(preimages[0].payment_hash(), shards[0].payment_hash);
//!
//! // One of them alone gives nothing away.
//! assert!(reconstruct(&shards[..1], Msat::from_sat(100).expect("small")).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod child;
mod features;
mod record;
mod set;
mod share;
mod sharer;

pub use child::Child;
pub use features::{AMP_OPTIONAL, AMP_REQUIRED, invoice_features, is_amp_invoice};
pub use record::AmpRecord;
pub use set::{MAX_SHARDS, ReconstructError, Shard, reconstruct};
pub use share::{Root, SetId, Share};
pub use sharer::{Sharer, SplitError};

#[cfg(test)]
mod tests;
