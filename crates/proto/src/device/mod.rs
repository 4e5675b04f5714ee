//! Invoices of a device without a network, paid through a node that is online: what both derive from
//! the secret they share (S. Snigirev on lightning-dev, 9 June 2019). Nobody deployed it.
//!
//! The device's invoice has a routing hint over a channel that doesn't exist, from the node to the
//! device. The node sees an HTLC to that channel, derives the preimage from the channel's id, and
//! claims instead of forwarding. The device knows the preimage, too: a payer proves the payment by
//! showing some digits of it.
//!
//! * [`Device0`] is closest to the mail: the channel's id is the amount. Two invoices of one device
//!   and amount have the same preimage, so it is for compatibility alone.
//! * [`Device1`] is ours: every invoice has its counter, key and terms.
//!
//! ```
//! use secp256k1::{PublicKey, Secp256k1, SecretKey};
//! use sponte_proto::device::{Device1, Terms};
//! use sponte_proto::{CltvExpiryDelta, Msat};
//!
//! let secp = Secp256k1::new();
//! let (device, node) = (SecretKey::from_slice(&[2; 32])?, SecretKey::from_slice(&[3; 32])?);
//! let at_device = Device1::new(&PublicKey::from_secret_key(&secp, &node), &device, 7).expect("20 bits");
//! let at_node = Device1::new(&PublicKey::from_secret_key(&secp, &device), &node, 7).expect("20 bits");
//!
//! // The device makes an invoice, its first.
//! let terms = Terms {
//!     amount: Some(Msat::from_sat(1_000).expect("small")),
//!     expiry_unix_s: 1_700_003_600,
//!     min_final_cltv: CltvExpiryDelta::new(42),
//! };
//! let invoice = at_device.invoice(1, &terms).expect("40 bits");
//!
//! // The node reads terms and preimage out of what the payer sends.
//! let (read, preimage) = at_node.open(invoice.short_channel_id(), invoice.payment_secret())?;
//! assert_eq!(read, terms);
//! assert_eq!(preimage, *invoice.preimage());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod device0;
mod device1;

pub use device0::Device0;
pub use device1::{Device1, DeviceError, Invoice, Terms};

use crate::Preimage;
use alloc::{format, string::String};

/// The six digits by which a payer shows a device that it has paid: the first 4 bytes of the
/// preimage, big-endian, modulo 1,000,000. Every node of the route learns them at settlement, so they
/// are good for one use, and for few tries.
pub fn confirmation_code(preimage: &Preimage) -> String {
    let [a, b, c, d, ..] = preimage.to_bytes();
    format!("{:06}", u32::from_be_bytes([a, b, c, d]) % 1_000_000)
}

#[cfg(test)]
mod tests;
