//! Incoming HTLCs of the fuzzer's: any packet, any content under a right HMAC, any payload, and
//! payloads of the records that make the kinds.

use crate::{public_key, seal};
use lightning::ln::msgs::{OnionPacket as LdkPacket, UpdateAddHTLC};
use lightning::ln::types::ChannelId;
use lightning::sign::KeysManager;
use lightning::types::payment::PaymentHash as LdkHash;
use secp256k1::PublicKey;
use sponte_engine::backend::Kinds;
use sponte_proto::amp::{AmpRecord, SetId, Share};
use sponte_proto::ecdh::{ECDH_RECORD, Version};
use sponte_proto::mpp::PaymentData;
use sponte_proto::onion::SharedSecret;
use sponte_proto::payload::FinalPayload;
use sponte_proto::{CltvExpiry, Msat, PaymentHash, PaymentSecret, Preimage, Records, write_bigsize};
use std::sync::OnceLock;

/// The onion is a whole packet as it stands in `update_add_htlc`.
pub const PACKET: u8 = 0;
/// The onion is the packet's 1,300 bytes in the clear.
pub const CONTENT: u8 = 1;
/// The onion is a payload.
pub const PAYLOAD: u8 = 2;
/// The onion is a choice of records, see [`composed`].
pub const COMPOSED: u8 = 3;
/// The bits of these.
const FORMS: u8 = 0b11;
/// Added to a form: the HTLC is within a blinded path.
pub const WITHIN_PATH: u8 = 1 << 2;
/// Added to a form: a bit of the packet is not as the sender wrote it.
pub const DAMAGED: u8 = 1 << 3;
/// Added to a form: the payload is not the last one.
pub const FORWARD: u8 = 1 << 4;

/// An HTLC that a peer offers, and how we receive.
pub struct Offer {
    /// As it came.
    pub htlc: UpdateAddHTLC,
    /// What is on.
    pub kinds: Kinds,
    /// What we share with the sender.
    pub secret: SharedSecret,
    /// Whether the packet was sealed, and changed afterwards.
    pub damaged: bool,
}

/// The node that is paid.
pub fn receiver() -> &'static KeysManager {
    static RECEIVER: OnceLock<KeysManager> = OnceLock::new();
    RECEIVER.get_or_init(|| KeysManager::new(&[7; 32], 1, 1, true))
}

impl Offer {
    /// `kinds(1) ‖ form(1) ‖ lock(1) ‖ amount_msat(u64) ‖ cltv_expiry(u32) ‖ payment_hash(32) ‖ onion`.
    /// The lock says whether the hash is that one, or opens with the secret. What is missing is zero.
    pub fn read(data: &[u8]) -> Offer {
        let mut bytes = Bytes(data);
        let [kinds, form, lock] = bytes.take();
        let amount_msat = u64::from_be_bytes(bytes.take());
        let cltv_expiry = u32::from_be_bytes(bytes.take());
        let any: [u8; 32] = bytes.take();
        let (secret, hash, packet) = if form & FORMS == PACKET {
            let packet = any_packet(&mut bytes);
            let secret = packet.public_key.map_or_else(|_| shared_secret(), |key| secret_with(&key));
            let hash = locked(lock, any, &secret);
            (secret, hash, packet)
        } else {
            let (secret, hash) = (shared_secret(), locked(lock, any, &shared_secret()));
            let packet = sealed_packet(&secret, &hash, &content(form, &mut bytes));
            (secret, hash, packet)
        };
        let damaged = form & FORMS != PACKET && form & DAMAGED != 0;
        let mut htlc = htlc(amount_msat, cltv_expiry, hash, packet);
        htlc.blinding_point = (form & WITHIN_PATH != 0).then(|| public_key(0x43));
        if damaged {
            damage(&mut htlc.onion_routing_packet, u16::from_be_bytes([any[0], any[1]]));
        }
        Offer { htlc, kinds: read_kinds(kinds), secret, damaged }
    }
}

/// Bytes in their order, and zeros once they are used up: every input means something.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (now, later) = self.0.split_at(N.min(self.0.len()));
        self.0 = later;
        let mut taken = [0; N];
        taken[..now.len()].copy_from_slice(now);
        taken
    }

    fn msat(&mut self) -> Msat {
        Msat::new(u64::from_be_bytes(self.take())).unwrap_or(Msat::MAX)
    }
}

fn read_kinds(bits: u8) -> Kinds {
    let on = |bit: u8| bits >> bit & 1 == 1;
    Kinds { keysend: on(0), mpp_keysend: on(1), amp: on(2), amp_invoice: on(3), ecdh1: on(4), ecdh0: on(5) }
}

fn locked(lock: u8, any: [u8; 32], secret: &SharedSecret) -> PaymentHash {
    match lock % 3 {
        0 => PaymentHash::from_bytes(any),
        1 => Version::Ecdh0.preimage(secret).payment_hash(),
        _ => Version::Ecdh1.preimage(secret).payment_hash(),
    }
}

/// The payer's session key is 0x41.
fn ephemeral_key() -> PublicKey {
    static KEY: OnceLock<PublicKey> = OnceLock::new();
    *KEY.get_or_init(|| public_key(0x41))
}

fn shared_secret() -> SharedSecret {
    static SECRET: OnceLock<SharedSecret> = OnceLock::new();
    SECRET.get_or_init(|| secret_with(&ephemeral_key())).clone()
}

fn secret_with(ephemeral_key: &PublicKey) -> SharedSecret {
    SharedSecret::new(ephemeral_key, &receiver().get_node_secret_key())
}

fn any_packet(bytes: &mut Bytes<'_>) -> LdkPacket {
    let [version] = bytes.take();
    let public_key = PublicKey::from_slice(&bytes.take::<33>());
    LdkPacket { version, public_key, hop_data: bytes.take(), hmac: bytes.take() }
}

fn sealed_packet(secret: &SharedSecret, hash: &PaymentHash, content: &[u8; 1300]) -> LdkPacket {
    let (payloads, hmac) = seal(secret, &hash.to_bytes(), content);
    let hop_data = payloads.try_into().expect("as long as the content");
    LdkPacket { version: 0, public_key: Ok(ephemeral_key()), hop_data, hmac }
}

/// The packet in the clear; what has no room in it is cut off.
fn content(form: u8, bytes: &mut Bytes<'_>) -> [u8; 1300] {
    let payload = match form & FORMS {
        CONTENT => return bytes.take(),
        PAYLOAD => bytes.0.to_vec(),
        _ => composed(bytes).encode(),
    };
    let mut hop = Vec::new();
    write_bigsize(&mut hop, payload.len() as u64);
    hop.extend(payload);
    hop.extend(if form & FORWARD != 0 { [1; 32] } else { [0; 32] });
    Bytes(&hop).take()
}

/// `records(1) ‖ amt_to_forward(u64) ‖ outgoing_cltv_value(u32)`, and what each bit of the first byte
/// asks for: the values of 8, 14, keysend, the marker of ECDH; the length of 16; type and length of
/// any other record.
fn composed(bytes: &mut Bytes<'_>) -> FinalPayload {
    let [records] = bytes.take();
    let has = |bit: u8| records >> bit & 1 == 1;
    let mut payload = FinalPayload::new(bytes.msat(), CltvExpiry::new(u32::from_be_bytes(bytes.take())));
    let mut custom = Vec::new();
    if has(0) {
        let secret = PaymentSecret::from_bytes(bytes.take());
        payload.payment_data = Some(PaymentData::new(secret, bytes.msat()));
    }
    if has(1) {
        payload.amp = Some(AmpRecord {
            root_share: Share::from_bytes(bytes.take()),
            set_id: SetId::from_bytes(bytes.take()),
            child_index: u32::from_be_bytes(bytes.take()),
        });
    }
    if has(2) {
        payload.keysend = Some(Preimage::from_bytes(bytes.take()));
    }
    if has(3) {
        custom.push((ECDH_RECORD.to_u64(), bytes.take::<1>().to_vec()));
    }
    if has(4) {
        payload.payment_metadata = Some(vec![7; bytes.take::<1>()[0].into()]);
    }
    if has(5) {
        let kind = u64::from_be_bytes(bytes.take());
        custom.push((kind, vec![7; usize::from(u16::from_be_bytes(bytes.take())) % 1_300]));
    }
    payload.custom_records = Records::from_received(custom);
    payload
}

/// Turns one of the bits that the HMAC is over, or of the HMAC.
fn damage(packet: &mut LdkPacket, place: u16) {
    let (byte, bit) = (usize::from(place >> 3) % 1_332, place & 7);
    let byte = match byte.checked_sub(1_300) {
        None => &mut packet.hop_data[byte],
        Some(byte) => &mut packet.hmac[byte],
    };
    *byte ^= 1 << bit;
}

fn htlc(amount_msat: u64, cltv_expiry: u32, hash: PaymentHash, packet: LdkPacket) -> UpdateAddHTLC {
    UpdateAddHTLC {
        channel_id: ChannelId([1; 32]),
        htlc_id: 0,
        amount_msat,
        payment_hash: LdkHash(hash.to_bytes()),
        cltv_expiry,
        skimmed_fee_msat: None,
        onion_routing_packet: packet,
        blinding_point: None,
        hold_htlc: None,
        accountable: None,
    }
}
