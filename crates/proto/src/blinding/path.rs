//! Keys along a blinded path, and the cipher of its data.

use crate::onion::{DerivedKey, KeyType, SharedSecret};
use alloc::vec::Vec;
use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use secp256k1::{PublicKey, Scalar, Secp256k1, SecretKey, Signing, Verification};
use zeroize::Zeroizing;

/// Why blinding failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlindingError {
    /// A path without hops. The caller's fault.
    #[error("the path has no hop")]
    Empty,
    /// A key leads to a factor that is none of the curve's, with a chance of 2^-128.
    #[error("the keys cannot be used for this path")]
    Key,
    /// The data is not for this node, or was altered. The sender's fault, answered with
    /// `invalid_onion_blinding`.
    #[error("the data of a blinded hop does not decrypt")]
    Undecryptable,
}

/// One hop of a [`BlindedPath`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlindedHop {
    /// What stands for the node id.
    pub blinded_node_id: PublicKey,
    /// `encrypted_recipient_data` of the hop's payload.
    pub encrypted_data: Vec<u8>,
}

/// A path as its recipient builds it. The sender reaches the first hop by its real node id, and
/// sends it the first path key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlindedPath {
    /// The real node id of the first hop.
    pub first_node_id: PublicKey,
    /// What the first hop finds its secret with.
    pub first_path_key: PublicKey,
    /// The hops, the recipient last.
    pub hops: Vec<BlindedHop>,
}

impl BlindedPath {
    /// Blinds the nodes and encrypts each one's data, an encoded
    /// [`RecipientData`](super::RecipientData). A session key is random and never used twice.
    ///
    /// # Errors
    /// No node, or a session key that is of no use.
    pub fn new<C: Signing + Verification>(
        secp: &Secp256k1<C>,
        session_key: &SecretKey,
        nodes: &[(PublicKey, Vec<u8>)],
    ) -> Result<BlindedPath, BlindingError> {
        let (first_node_id, _) = nodes.first().ok_or(BlindingError::Empty)?;
        let mut path_private = *session_key;
        let mut hops = Vec::with_capacity(nodes.len());
        for (node_id, data) in nodes {
            let path_key = PublicKey::from_secret_key(secp, &path_private);
            let secret = SharedSecret::new(node_id, &path_private);
            hops.push(BlindedHop {
                blinded_node_id: blinded_node_id(secp, node_id, &secret)?,
                encrypted_data: seal_data(&secret, data),
            });
            let factor = path_factor(&path_key, &secret)?;
            path_private = path_private.mul_tweak(&factor).map_err(|_| BlindingError::Key)?;
        }
        path_private.non_secure_erase();
        Ok(BlindedPath {
            first_node_id: *first_node_id,
            first_path_key: PublicKey::from_secret_key(secp, session_key),
            hops,
        })
    }
}

/// What stands for a node id in the path: `HMAC("blinded_node_id", path secret)·node_id`. The
/// path secret is the [`SharedSecret`] of node and path key.
///
/// # Errors
/// A secret that is of no use.
pub fn blinded_node_id<C: Verification>(
    secp: &Secp256k1<C>,
    node_id: &PublicKey,
    path_secret: &SharedSecret,
) -> Result<PublicKey, BlindingError> {
    node_id.mul_tweak(secp, &node_factor(path_secret)?).map_err(|_| BlindingError::Key)
}

/// The key behind the [`blinded_node_id`]: it opens the onion of a hop within the path.
///
/// # Errors
/// A secret that is of no use.
pub fn blinded_node_key(
    node_key: &SecretKey,
    path_secret: &SharedSecret,
) -> Result<SecretKey, BlindingError> {
    node_key.mul_tweak(&node_factor(path_secret)?).map_err(|_| BlindingError::Key)
}

/// The path key for the next hop, unless the data names another: `SHA256(E ‖ path secret)·E`.
///
/// # Errors
/// A secret that is of no use.
pub fn next_path_key<C: Verification>(
    secp: &Secp256k1<C>,
    path_key: &PublicKey,
    path_secret: &SharedSecret,
) -> Result<PublicKey, BlindingError> {
    let factor = path_factor(path_key, path_secret)?;
    path_key.mul_tweak(secp, &factor).map_err(|_| BlindingError::Key)
}

fn node_factor(path_secret: &SharedSecret) -> Result<Scalar, BlindingError> {
    path_secret.derive(KeyType::BlindedNodeId).to_scalar().ok_or(BlindingError::Key)
}

fn path_factor(path_key: &PublicKey, path_secret: &SharedSecret) -> Result<Scalar, BlindingError> {
    path_secret.blinding_factor(&path_key.serialize()).ok_or(BlindingError::Key)
}

/// Encrypts a hop's data: ChaCha20-Poly1305 with the `rho` key, nonce 0. 16 bytes longer.
pub fn seal_data(path_secret: &SharedSecret, data: &[u8]) -> Vec<u8> {
    cipher(&path_secret.derive(KeyType::Rho)).encrypt(&[0; 12].into(), data).expect("the cipher takes 256 GB")
}

/// Decrypts a hop's data; [`RecipientData`](super::RecipientData) reads it.
///
/// # Errors
/// The data is not for this secret, or was altered.
pub fn open_data(path_secret: &SharedSecret, encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>, BlindingError> {
    cipher(&path_secret.derive(KeyType::Rho))
        .decrypt(&[0; 12].into(), encrypted)
        .map(Zeroizing::new)
        .map_err(|_| BlindingError::Undecryptable)
}

fn cipher(rho: &DerivedKey) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(rho.as_bytes().into())
}
