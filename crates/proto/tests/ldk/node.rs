//! Nodes that LDK and we both have the keys of, and routes over them.

use lightning::bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey, VerifyOnly};
use lightning::ln::channelmanager::PendingHTLCInfo;
use lightning::ln::msgs::{OnionPacket as LdkPacket, UpdateAddHTLC};
use lightning::ln::onion_payment::{InboundHTLCErr, peel_payment_onion};
use lightning::ln::types::ChannelId;
use lightning::routing::router::{Path, RouteHop};
use lightning::sign::KeysManager;
use lightning::types::features::{ChannelFeatures, NodeFeatures};
use lightning::types::payment::PaymentHash;
use lightning::util::logger::{Logger, Record};
use sponte_proto::onion::OnionPacket;

/// The height at which LDK receives.
pub const HEIGHT: u32 = 800_000;

pub struct Silent;

impl Logger for Silent {
    fn log(&self, _: Record) {}
}

/// A node by its number.
pub struct Node {
    pub signer: KeysManager,
    pub secret_key: SecretKey,
    pub node_id: PublicKey,
}

impl Node {
    pub fn new(number: u8) -> Node {
        let signer = KeysManager::new(&[number + 1; 32], 1, 1, true);
        let secret_key = signer.get_node_secret_key();
        let node_id = PublicKey::from_secret_key(&Secp256k1::signing_only(), &secret_key);
        Node { signer, secret_key, node_id }
    }

    /// LDK peels the packet of this HTLC.
    pub fn ldk_peel(
        &self,
        secp: &Secp256k1<VerifyOnly>,
        htlc: &UpdateAddHTLC,
    ) -> Result<PendingHTLCInfo, InboundHTLCErr> {
        peel_payment_onion(htlc, &self.signer, Silent, secp, HEIGHT, false)
    }
}

/// A hop of LDK's: `fee_msat` is the fee of the hop, or the amount at the last one.
pub fn hop(node: &Node, scid: u64, fee_msat: u64, cltv_expiry_delta: u32) -> RouteHop {
    RouteHop {
        pubkey: node.node_id,
        node_features: NodeFeatures::empty(),
        short_channel_id: scid,
        channel_features: ChannelFeatures::empty(),
        fee_msat,
        cltv_expiry_delta,
        maybe_announced_channel: true,
    }
}

pub fn path(hops: Vec<RouteHop>) -> Path {
    Path { hops, blinded_tail: None }
}

/// An HTLC that carries the packet.
pub fn htlc(packet: LdkPacket, payment_hash: [u8; 32], amount_msat: u64, cltv: u32) -> UpdateAddHTLC {
    UpdateAddHTLC {
        channel_id: ChannelId([1; 32]),
        htlc_id: 0,
        amount_msat,
        payment_hash: PaymentHash(payment_hash),
        cltv_expiry: cltv,
        skimmed_fee_msat: None,
        onion_routing_packet: packet,
        blinding_point: None,
        hold_htlc: None,
        accountable: None,
    }
}

pub fn to_ldk(packet: &OnionPacket) -> LdkPacket {
    LdkPacket {
        version: packet.version(),
        public_key: PublicKey::from_slice(packet.public_key()),
        hop_data: packet.hop_payloads().try_into().expect("1,300 bytes"),
        hmac: *packet.hmac(),
    }
}
