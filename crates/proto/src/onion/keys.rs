//! Shared secrets and what is derived from them (BOLT 4, "Key Generation" and "Pseudo Random Byte
//! Stream").

use crate::secret::secret32;
use bitcoin_hashes::{Hash as _, HashEngine as _, Hmac, HmacEngine, sha256};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _};
use secp256k1::{PublicKey, Scalar, SecretKey};
use zeroize::Zeroize as _;

secret32! {
    /// What a sender and one hop share: `SHA256` of the compressed point of their Diffie-Hellman
    /// (BOLT 4, "Shared Secret").
    SharedSecret
}

secret32! {
    /// A key derived from a secret for one purpose: `HMAC-SHA256(key type, secret)`.
    DerivedKey
}

/// What a [`DerivedKey`] is for (BOLT 4, "Key Generation").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// The stream over hop payloads, and the cipher of a blinded hop's data.
    Rho,
    /// The packet's HMAC.
    Mu,
    /// The HMACs of failures and of attribution data.
    Um,
    /// The bytes that fill a packet before anything is in it; derived from the session key.
    Pad,
    /// The stream over a failure, and over a fulfillment payload.
    Ammag,
    /// The stream over attribution data.
    AmmagExt,
    /// What a blinded node id is the node id times of.
    BlindedNodeId,
    /// The cipher of a fulfillment payload (BOLTs pull request 1344).
    Fulfillment,
}

impl KeyType {
    /// The bytes that the HMAC is keyed with: ASCII, without a terminator.
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            KeyType::Rho => b"rho",
            KeyType::Mu => b"mu",
            KeyType::Um => b"um",
            KeyType::Pad => b"pad",
            KeyType::Ammag => b"ammag",
            KeyType::AmmagExt => b"ammagext",
            KeyType::BlindedNodeId => b"blinded_node_id",
            KeyType::Fulfillment => b"fulfillment",
        }
    }

    /// Derives from any secret of 32 bytes.
    pub(crate) fn derive(self, secret: &[u8; 32]) -> DerivedKey {
        DerivedKey::from_bytes(hmac(self.as_bytes(), &[secret]))
    }
}

impl SharedSecret {
    /// The Diffie-Hellman of one's secret key and the other's public key, constant in time.
    pub fn new(public_key: &PublicKey, secret_key: &SecretKey) -> SharedSecret {
        let mut shared = secp256k1::ecdh::SharedSecret::new(public_key, secret_key);
        let secret = SharedSecret::from_bytes(shared.secret_bytes());
        shared.non_secure_erase();
        secret
    }

    /// The key for one purpose.
    pub fn derive(&self, kind: KeyType) -> DerivedKey {
        kind.derive(self.as_bytes())
    }

    /// By what the ephemeral key is multiplied for the next hop: `SHA256(public key ‖ secret)`
    /// (BOLT 4, "Blinding Ephemeral Onion Keys"). `None` with a chance of 2^-128.
    pub(crate) fn blinding_factor(&self, public_key: &[u8; 33]) -> Option<Scalar> {
        let mut engine = sha256::Hash::engine();
        engine.input(public_key);
        engine.input(self.as_bytes());
        let mut bytes = sha256::Hash::from_engine(engine).to_byte_array();
        let scalar = Scalar::from_be_bytes(bytes).ok();
        bytes.zeroize();
        scalar
    }
}

impl DerivedKey {
    /// The key as a factor of the curve. `None` with a chance of 2^-128.
    pub(crate) fn to_scalar(&self) -> Option<Scalar> {
        Scalar::from_be_bytes(*self.as_bytes()).ok()
    }

    /// The stream of this key from its start.
    pub(crate) fn stream(&self) -> ChaCha20 {
        ChaCha20::new(self.as_bytes().into(), &[0; 12].into())
    }
}

/// Combines `bytes` with the stream of `key` from `offset` on.
pub(crate) fn apply_stream(key: &DerivedKey, offset: usize, bytes: &mut [u8]) {
    let mut stream = key.stream();
    if offset > 0 {
        stream.seek(offset as u64);
    }
    stream.apply_keystream(bytes);
}

/// `HMAC-SHA256` over the parts, one after the other.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut engine = HmacEngine::<sha256::Hash>::new(key);
    for part in parts {
        engine.input(part);
    }
    Hmac::from_engine(engine).to_byte_array()
}
