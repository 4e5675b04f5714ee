//! What an engine must be told once.

use crate::receive::Receive;
use secp256k1::{Secp256k1, SignOnly};
use sponte_proto::{CltvExpiryDelta, NodeId};
use std::fmt;
use zeroize::Zeroizing;

/// Blocks between our tip and the final HTLC's expiry. Every implementation accepts 42; the
/// rest is for blocks that arrive while the payment is on its way.
const FINAL_CLTV: CltvExpiryDelta = CltvExpiryDelta::new(144);

/// What an engine must be told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// This node: it cannot pay itself.
    pub node_id: NodeId,
    /// What ids and preimages are derived from.
    pub node_secret: NodeSecret,
    /// Which payments to us are taken, as long as nothing else is set at run time.
    pub receive: Receive,
    /// Blocks between our tip and the final HTLC's expiry, if a caller does not say.
    pub final_cltv: CltvExpiryDelta,
    /// The curve, for hashes that follow from it.
    pub(crate) secp: Secp256k1<SignOnly>,
}

impl Config {
    /// All that [`Receive::default`] takes is taken, the final expiry is 144 blocks away.
    pub fn new(node_id: NodeId, node_secret: NodeSecret) -> Config {
        let (receive, secp) = (Receive::default(), Secp256k1::signing_only());
        Config { node_id, node_secret, receive, final_cltv: FINAL_CLTV, secp }
    }
}

/// Who has it knows the preimage of every payment that this node makes. Wiped when dropped.
#[derive(Clone)]
pub struct NodeSecret(Zeroizing<[u8; 32]>);

impl NodeSecret {
    /// From bytes that only this node knows, and that never change over its life.
    pub fn new(bytes: [u8; 32]) -> NodeSecret {
        NodeSecret(Zeroizing::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for NodeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show() {
        let us = NodeId::from_bytes([2; 33]).expect("starts with 02");
        let config = Config::new(us, NodeSecret::new([0xab; 32]));
        assert!(!format!("{config:?}").contains("171"));
        assert!(format!("{config:?}").contains("NodeSecret(..)"));
    }
}
