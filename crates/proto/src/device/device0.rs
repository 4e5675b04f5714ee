//! `device0`: the amount is the channel's id.

use crate::onion::hmac;
use crate::secret::secret32;
use crate::{Msat, PaymentSecret, Preimage, ShortChannelId};
use secp256k1::ecdh::shared_secret_point;
use secp256k1::{PublicKey, SecretKey};
use zeroize::Zeroize as _;

secret32! {
    /// What a device and its node share in `device0`: the x coordinate of their Diffie-Hellman, 32
    /// bytes. All its invoices follow from it, so a device's key should serve one invoice, or
    /// its amounts never repeat.
    Device0
}

impl Device0 {
    /// From one's secret key and the other's public key.
    pub fn new(public_key: &PublicKey, secret_key: &SecretKey) -> Device0 {
        let mut point = shared_secret_point(public_key, secret_key);
        let (x, _) = point.split_first_chunk().expect("a point has two coordinates of 32 bytes");
        let device = Device0::from_bytes(*x);
        point.zeroize();
        device
    }

    /// The id of the channel in the routing hint: the invoice's amount in msat. Zero is any amount;
    /// LND's payers refuse such a channel.
    pub const fn short_channel_id(amount: Msat) -> ShortChannelId {
        ShortChannelId::new(amount.to_msat())
    }

    /// `HMAC-SHA256(x, short_channel_id)`, the id as 8 bytes big-endian.
    pub fn preimage(&self, short_channel_id: ShortChannelId) -> Preimage {
        Preimage::from_bytes(hmac(self.as_bytes(), &[&short_channel_id.to_bytes()]))
    }

    /// `HMAC-SHA256(x, "secret" ‖ short_channel_id)`: ours, the mail is older than the field.
    pub fn payment_secret(&self, short_channel_id: ShortChannelId) -> PaymentSecret {
        let id = short_channel_id.to_bytes();
        PaymentSecret::from_bytes(hmac(self.as_bytes(), &[b"secret", &id]))
    }
}
