//! Between the types of LDK and ours.

use bitcoin::hashes::Hash as _;
use bitcoin::secp256k1::PublicKey;
use lightning::ln::channel_state::ChannelDetails;
use sponte_proto::{ChannelId, Msat, NodeId, Sat, Txid};

/// A public key of LDK's as a node id.
pub(crate) fn node_id(key: &PublicKey) -> NodeId {
    NodeId::from_bytes(key.serialize()).expect("a compressed point starts with 2 or 3")
}

/// A node id as a point; `None` if its bytes name none.
pub(crate) fn public_key(id: &NodeId) -> Option<PublicKey> {
    PublicKey::from_slice(&id.to_bytes()).ok()
}

pub(crate) fn channel_id(id: lightning::ln::types::ChannelId) -> ChannelId {
    ChannelId::from_bytes(id.0)
}

pub(crate) fn ldk_channel_id(id: ChannelId) -> lightning::ln::types::ChannelId {
    lightning::ln::types::ChannelId(id.to_bytes())
}

pub(crate) fn txid(id: bitcoin::Txid) -> Txid {
    Txid::from_bytes(id.to_byte_array())
}

/// An amount that LDK has checked against a channel's value; above the supply it saturates.
pub(crate) fn msat(value_msat: u64) -> Msat {
    Msat::new(value_msat).unwrap_or(Msat::MAX)
}

/// As [`msat`].
pub(crate) fn sat(value_sat: u64) -> Sat {
    Sat::new(value_sat).unwrap_or(Sat::MAX)
}

/// Two anchor outputs of 330 sat each, paid by the side that opened (BOLT 3).
const ANCHORS_MSAT: u64 = 660_000;

/// Our msat in a channel, exact while no HTLC is pending; `None` otherwise.
///
/// LDK tells capacities, not balances: ours is what can leave plus what must stay, and where
/// that saturates at zero, the value less what is theirs.
pub(crate) fn balance(channel: &ChannelDetails) -> Option<Msat> {
    if !channel.pending_inbound_htlcs.is_empty() || !channel.pending_outbound_htlcs.is_empty() {
        return None;
    }
    let anchors = |pays: bool| match &channel.channel_type {
        Some(kind) if !kind.supports_anchors_zero_fee_htlc_tx() => 0,
        _ if pays => ANCHORS_MSAT,
        _ => 0,
    };
    let ours = if channel.outbound_capacity_msat > 0 {
        channel.outbound_capacity_msat
            + channel.unspendable_punishment_reserve.unwrap_or(0) * 1000
            + anchors(channel.is_outbound)
    } else {
        let theirs = channel.inbound_capacity_msat
            + channel.counterparty.unspendable_punishment_reserve * 1000
            + anchors(!channel.is_outbound);
        (channel.channel_value_satoshis * 1000).saturating_sub(theirs)
    };
    Some(msat(ours))
}

pub(crate) fn ldk_preimage(preimage: &sponte_proto::Preimage) -> lightning::types::payment::PaymentPreimage {
    lightning::types::payment::PaymentPreimage(preimage.to_bytes())
}
