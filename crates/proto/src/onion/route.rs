//! The secrets that a sender shares with every hop of a route.

use super::{DerivedKey, KeyType, SharedSecret};
use alloc::vec::Vec;
use core::fmt;
use secp256k1::{PublicKey, Secp256k1, SecretKey, Signing};

/// Why there are no secrets for a route. The caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// A route without hops.
    #[error("the route has no hop")]
    Empty,
    /// The session key leads to a factor that is none of the curve's; another session key does
    /// not. The chance is 2^-128.
    #[error("the session key cannot be used for this route")]
    SessionKey,
}

/// What a sender computes once for a route and a session key: one secret shared with each hop.
///
/// It builds the onion, and decodes the failures that come back for it. Whoever derives the
/// payment hash from a shared secret (ECDH payments) takes it from here before building.
pub struct RouteSecrets {
    pub(super) public_key: PublicKey,
    pub(super) pad: DerivedKey,
    shared_secrets: Vec<SharedSecret>,
}

impl RouteSecrets {
    /// Computes the secrets (BOLT 4, "Packet Construction"): `ss = SHA256(ek·node)`, and for the
    /// next hop `ek·SHA256(ek·G ‖ ss)`. A session key is random and never used twice.
    ///
    /// # Errors
    /// No hop, or a session key that is of no use.
    pub fn new<C: Signing>(
        secp: &Secp256k1<C>,
        session_key: &SecretKey,
        nodes: &[PublicKey],
    ) -> Result<RouteSecrets, RouteError> {
        let (last, others) = nodes.split_last().ok_or(RouteError::Empty)?;
        let public_key = PublicKey::from_secret_key(secp, session_key);
        let mut session = session_key.secret_bytes();
        let pad = KeyType::Pad.derive(&session);
        zeroize::Zeroize::zeroize(&mut session);

        let mut shared_secrets = Vec::with_capacity(nodes.len());
        let mut ephemeral = *session_key;
        let mut ephemeral_public = public_key.serialize();
        for (i, node) in others.iter().enumerate() {
            if i > 0 {
                ephemeral_public = PublicKey::from_secret_key(secp, &ephemeral).serialize();
            }
            let secret = SharedSecret::new(node, &ephemeral);
            let factor = secret.blinding_factor(&ephemeral_public).ok_or(RouteError::SessionKey)?;
            let next = ephemeral.mul_tweak(&factor).map_err(|_| RouteError::SessionKey)?;
            ephemeral.non_secure_erase();
            ephemeral = next;
            shared_secrets.push(secret);
        }
        // The last hop blinds nothing, so its ephemeral public key is not needed.
        shared_secrets.push(SharedSecret::new(last, &ephemeral));
        ephemeral.non_secure_erase();
        Ok(RouteSecrets { public_key, pad, shared_secrets })
    }

    /// One secret for each hop, from the first hop to the last.
    pub fn shared_secrets(&self) -> &[SharedSecret] {
        &self.shared_secrets
    }
}

impl fmt::Debug for RouteSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RouteSecrets({} hops)", self.shared_secrets.len())
    }
}
