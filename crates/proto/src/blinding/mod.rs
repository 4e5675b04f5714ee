//! Route blinding: a path whose nodes the sender does not learn (BOLT 4, "Route Blinding").
//!
//! A recipient builds a [`BlindedPath`]: each hop gets a path key, under which it has a blinded
//! node id and finds [`RecipientData`] that only it can read. The sender puts the data into the
//! hops' payloads as they are.
//!
//! ```
//! use secp256k1::{PublicKey, Secp256k1, SecretKey};
//! use sponte_proto::blinding::{BlindedPath, RecipientData, open_data};
//! use sponte_proto::onion::SharedSecret;
//!
//! let secp = Secp256k1::new();
//! let carol = SecretKey::from_slice(&[3; 32])?;
//! let node_id = PublicKey::from_secret_key(&secp, &carol);
//! let for_carol = RecipientData { path_id: Some(vec![7; 32]), ..RecipientData::default() };
//!
//! let session_key = SecretKey::from_slice(&[9; 32])?;
//! let path = BlindedPath::new(&secp, &session_key, &[(node_id, for_carol.encode())])?;
//!
//! // Carol reads it with the path key that comes with the HTLC.
//! let path_secret = SharedSecret::new(&path.first_path_key, &carol);
//! let data = open_data(&path_secret, &path.hops[0].encrypted_data)?;
//! assert_eq!(RecipientData::decode(&data)?, for_carol);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod data;
mod path;
mod relay;

pub use data::{PaymentConstraints, RecipientData, RecipientDataError};
pub use path::{
    BlindedHop, BlindedPath, BlindingError, blinded_node_id, blinded_node_key, next_path_key, open_data,
    seal_data,
};
pub use relay::{PathFees, PaymentRelay};

#[cfg(test)]
mod tests;
