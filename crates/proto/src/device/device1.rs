//! `device1`: a counter is the channel's id, the terms are in the payment secret.

use crate::onion::{SharedSecret, hmac};
use crate::secret::secret32;
use crate::{CltvExpiryDelta, Msat, PaymentSecret, Preimage, ShortChannelId};
use secp256k1::{PublicKey, SecretKey};
use subtle::ConstantTimeEq as _;

const INDEX_BITS: u32 = 20;
const COUNTER_BITS: u32 = 40;
/// The top four bits of the channel ids: no block will have such a height before the 23rd century.
const MARK: u64 = 0xd << 60;

secret32! {
    /// `HMAC-SHA256("offline-device-v1", shared secret of device and node)`.
    Seed
}

/// A device as it and its node know it: a seed that both derive, and the index that the node gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device1 {
    seed: Seed,
    index: u32,
}

/// What a device asks for, 16 bytes:
/// `amount_msat (8) ‖ expiry in seconds since the epoch (4) ‖ min_final_cltv (2) ‖ 0000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// At least so much; `None` for any amount.
    pub amount: Option<Msat>,
    /// Until when, in seconds since the Unix epoch; `u32::MAX` for ever.
    pub expiry_unix_s: u32,
    /// So many blocks must be left until the HTLC expires.
    pub min_final_cltv: CltvExpiryDelta,
}

/// One invoice of a device.
#[derive(Clone, Debug)]
pub struct Invoice {
    short_channel_id: ShortChannelId,
    signing_key: SecretKey,
    payment_secret: PaymentSecret,
    preimage: Preimage,
}

/// Why a payment secret is not of this device. The payer's fault:
/// `incorrect_or_unknown_payment_details`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The channel's id belongs to another device, or to none.
    #[error("the channel id is not this device's")]
    OtherDevice,
    /// The device never made such terms.
    #[error("the payment secret is not this device's")]
    WrongSecret,
}

impl Device1 {
    /// From one's secret key and the other's public key. `None` if the index exceeds 20 bits.
    pub fn new(public_key: &PublicKey, secret_key: &SecretKey, index: u32) -> Option<Device1> {
        let shared = SharedSecret::new(public_key, secret_key);
        let seed = Seed::from_bytes(hmac(b"offline-device-v1", &[shared.as_bytes()]));
        (index >> INDEX_BITS == 0).then_some(Device1 { seed, index })
    }

    /// The index of the device that a channel's id belongs to; `None` if it is no device's.
    pub const fn index_of(short_channel_id: ShortChannelId) -> Option<u32> {
        let number = short_channel_id.to_u64();
        if number >> 60 != MARK >> 60 {
            return None;
        }
        Some((number >> COUNTER_BITS) as u32 & ((1 << INDEX_BITS) - 1))
    }

    /// The invoice number `counter`, which must never be used again. `None` if it exceeds 40 bits, or
    /// gives no key (a chance of 2^-128).
    pub fn invoice(&self, counter: u64, terms: &Terms) -> Option<Invoice> {
        if counter >> COUNTER_BITS != 0 {
            return None;
        }
        let number = MARK | u64::from(self.index) << COUNTER_BITS | counter;
        let short_channel_id = ShortChannelId::new(number);
        let info = terms.encode();
        let iv = self.iv(short_channel_id, &info);
        let hidden = self.hide(short_channel_id, &iv, info);
        Some(Invoice {
            short_channel_id,
            signing_key: self.signing_key(short_channel_id)?,
            payment_secret: PaymentSecret::from_bytes(join(iv, hidden)),
            preimage: self.preimage(short_channel_id, &info),
        })
    }

    /// The key that signs an invoice: its public key is the payee, and the node peels the payee's
    /// layer of the onion with it. `None` with a chance of 2^-128.
    pub fn signing_key(&self, short_channel_id: ShortChannelId) -> Option<SecretKey> {
        SecretKey::from_slice(&self.derive(1, short_channel_id, &[])).ok()
    }

    /// What the node reads out of the payee's payload: terms that the device made and nobody
    /// changed, and the preimage. Compares in constant time.
    ///
    /// # Errors
    /// The channel or the secret is not of this device.
    pub fn open(
        &self,
        short_channel_id: ShortChannelId,
        payment_secret: &PaymentSecret,
    ) -> Result<(Terms, Preimage), DeviceError> {
        if Device1::index_of(short_channel_id) != Some(self.index) {
            return Err(DeviceError::OtherDevice);
        }
        let (iv, hidden) = halves(payment_secret);
        let info = self.hide(short_channel_id, &iv, hidden);
        if !bool::from(self.iv(short_channel_id, &info).ct_eq(&iv)) {
            return Err(DeviceError::WrongSecret);
        }
        let terms = Terms::decode(&info).ok_or(DeviceError::WrongSecret)?;
        Ok((terms, self.preimage(short_channel_id, &info)))
    }

    fn iv(&self, short_channel_id: ShortChannelId, info: &[u8; 16]) -> [u8; 16] {
        first_half(self.derive(2, short_channel_id, info))
    }

    /// Hides and shows: combines with a stream that no second invoice has.
    fn hide(&self, short_channel_id: ShortChannelId, iv: &[u8; 16], mut info: [u8; 16]) -> [u8; 16] {
        let stream = first_half(self.derive(3, short_channel_id, iv));
        info.iter_mut().zip(stream).for_each(|(byte, key)| *byte ^= key);
        info
    }

    fn preimage(&self, short_channel_id: ShortChannelId, info: &[u8; 16]) -> Preimage {
        Preimage::from_bytes(self.derive(4, short_channel_id, info))
    }

    fn derive(&self, purpose: u8, short_channel_id: ShortChannelId, rest: &[u8]) -> [u8; 32] {
        hmac(self.seed.as_bytes(), &[&[purpose], &short_channel_id.to_bytes(), rest])
    }
}

impl Terms {
    fn encode(&self) -> [u8; 16] {
        let mut info = [0; 16];
        info[..8].copy_from_slice(&self.amount.unwrap_or(Msat::ZERO).to_msat().to_be_bytes());
        info[8..12].copy_from_slice(&self.expiry_unix_s.to_be_bytes());
        info[12..14].copy_from_slice(&self.min_final_cltv.to_u16().to_be_bytes());
        info
    }

    /// `None` for an amount above the money supply, or bytes that are reserved.
    fn decode(info: &[u8; 16]) -> Option<Terms> {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, 0, 0] = *info else { return None };
        let amount = Msat::new(u64::from_be_bytes([a, b, c, d, e, f, g, h]))?;
        Some(Terms {
            amount: Some(amount).filter(|amount| *amount != Msat::ZERO),
            expiry_unix_s: u32::from_be_bytes([i, j, k, l]),
            min_final_cltv: CltvExpiryDelta::new(u16::from_be_bytes([m, n])),
        })
    }
}

impl Invoice {
    /// The channel in the routing hint: `d ‖ index (20 bits) ‖ counter (40 bits)`.
    pub const fn short_channel_id(&self) -> ShortChannelId {
        self.short_channel_id
    }

    /// Signs the invoice.
    pub const fn signing_key(&self) -> &SecretKey {
        &self.signing_key
    }

    /// The terms, authenticated and hidden from all but device and node: `iv (16) ‖ terms (16)`.
    pub const fn payment_secret(&self) -> &PaymentSecret {
        &self.payment_secret
    }

    /// What claims the payment.
    pub const fn preimage(&self) -> &Preimage {
        &self.preimage
    }
}

impl Drop for Invoice {
    fn drop(&mut self) {
        self.signing_key.non_secure_erase();
    }
}

fn first_half(bytes: [u8; 32]) -> [u8; 16] {
    *bytes.first_chunk().expect("32 bytes have 16")
}

fn halves(secret: &PaymentSecret) -> ([u8; 16], [u8; 16]) {
    let bytes = secret.as_bytes();
    (first_half(*bytes), *bytes.last_chunk().expect("32 bytes have 16"))
}

fn join(first: [u8; 16], second: [u8; 16]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&first);
    bytes[16..].copy_from_slice(&second);
    bytes
}
