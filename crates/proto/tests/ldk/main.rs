//! A second opinion: LDK builds what we peel, and peels what we build. The seed is printed; set
//! `SPONTE_SEED` to run it again.
//!
//! LDK has no public function that creates or decodes a failure packet, so failures are compared
//! by their codes alone.

mod blinded;
mod node;
mod random;
mod routes;

use lightning::bitcoin::secp256k1::PublicKey;
use lightning::ln::msgs::OnionPacket as LdkPacket;
use sponte_proto::onion::OnionPacket;

/// How many random routes each test takes.
const ROUTES: usize = 1_000;

fn from_ldk(packet: &LdkPacket) -> OnionPacket {
    let key = packet.public_key.as_ref().map_or([0; 33], PublicKey::serialize);
    OnionPacket::from_parts(packet.version, &key, &packet.hop_data, &packet.hmac).expect("long enough")
}
