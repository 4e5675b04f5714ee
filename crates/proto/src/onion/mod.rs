//! Sphinx, the onion that carries a payload to every hop of a route (BOLT 4, "Packet Structure").
//!
//! A sender computes [`RouteSecrets`], one Diffie-Hellman per hop, and builds an [`OnionPacket`]
//! with them; a hop peels it; a final hop may [`reseal`] what it got for the node software behind
//! it. The curve arithmetic takes the caller's context, so that it is created and randomised once.
//!
//! ```
//! use secp256k1::{PublicKey, Secp256k1, SecretKey};
//! use sponte_proto::onion::{PAYMENT_PAYLOADS, RouteSecrets, peel};
//!
//! let secp = Secp256k1::new();
//! let bob = SecretKey::from_slice(&[2; 32])?;
//! let carol = SecretKey::from_slice(&[3; 32])?;
//! let route = [&bob, &carol].map(|key| PublicKey::from_secret_key(&secp, key));
//!
//! // The session key is new for every onion; the associated data is the payment hash.
//! let session_key = SecretKey::from_slice(&[9; 32])?;
//! let secrets = RouteSecrets::new(&secp, &session_key, &route)?;
//! let packet = secrets.build(&["to bob", "to carol"], &[4; 32], PAYMENT_PAYLOADS)?;
//!
//! let at_bob = peel(&secp, &bob, &packet, &[4; 32])?;
//! assert_eq!(at_bob.payload[..], *b"to bob");
//! let at_carol = peel(&secp, &carol, &at_bob.next.expect("bob forwards"), &[4; 32])?;
//! assert_eq!(at_carol.payload[..], *b"to carol");
//! assert!(at_carol.next.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod build;
mod keys;
mod packet;
mod peel;
mod reseal;
mod route;

pub use build::BuildError;
pub use keys::{DerivedKey, KeyType, SharedSecret};
pub(crate) use keys::{apply_stream, hmac};
pub use packet::{OnionPacket, PAYMENT_PAYLOADS, PacketError, hop_size};
pub use peel::{PeelError, Peeled, peel, peel_final, peel_with_secret};
pub use reseal::{ResealError, reseal};
pub use route::{RouteError, RouteSecrets};

#[cfg(test)]
mod tests;
