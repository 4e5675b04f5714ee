//! Incoming HTLCs of kinds that LDK does not know, as ones that it knows.
//!
//! BOLT 2 signatures do not commit to the onion: a node may hand itself another packet than its
//! peer sent. If the HTLC is for us, and its kind is on, its payload is written anew *under the same
//! ephemeral key*, so the failures that LDK returns decode at the sender as they were.
//!
//! | payload | LDK is told |
//! |---|---|
//! | AMP (8 and 14) | a payment of this part alone: 8 with a secret of ours, 16 with what the payload said |
//! | none of 8, 14 and keysend, and the hash opens with ECDH | a keysend with the derived preimage |
//! | the same, but the hash does not open while an ECDH kind is on | a refusal |
//! | AMP without 8, or beside a keysend record | a refusal |
//! | any of these that would be too large | a refusal |
//!
//! A refusal has amount and expiry, and in 8 a secret that no payment has: LDK answers PERM|15.
//!
//! All else passes byte for byte: forwards, blinded paths, trampoline, kinds that are off, and
//! whatever cannot be read, a malformed record 14 among it: LDK answers PERM|22 to an even type that
//! it does not know, as a reader of the record would. LDK checks amounts and expiries as always.
//!
//! Translation is a pure function: a message that comes again becomes the same bytes, and all HTLCs
//! with one hash and one payload get the same secret. What it writes into record 16 lies in LDK's
//! stored HTLCs and comes back with `PaymentClaimable`; LDK encrypts and authenticates it, so no
//! sender can forge it.

mod facts;
mod failure;
mod self_test;
#[cfg(test)]
mod tests;

pub use facts::decode as read_facts;
pub(crate) use failure::fail_with;
pub(crate) use self_test::self_test;

use bitcoin::hashes::{Hash as _, HashEngine as _, Hmac, HmacEngine, sha256};
use lightning::ln::inbound_payment::{self, ExpandedKey};
use lightning::ln::msgs;
use lightning::sign::EntropySource;
use lightning::types::payment::PaymentHash as LdkHash;
use sponte_engine::backend::{AmpShard, Kinds};
use sponte_proto::amp::AmpRecord;
use sponte_proto::ecdh::{ECDH_RECORD, Version};
use sponte_proto::mpp::PaymentData;
use sponte_proto::onion::{OnionPacket, ResealError, SharedSecret, peel_final, reseal};
use sponte_proto::payload::{FinalPayload, HopPayload, Position};
use sponte_proto::{PaymentHash, PaymentSecret, RecordType};
use zeroize::Zeroizing;

/// What LDK is to see of an incoming HTLC.
#[derive(Debug)]
pub enum Translation {
    /// The message as it came.
    Untouched,
    /// Another one, of an HTLC that it may take.
    Translated(Kind, Box<msgs::UpdateAddHTLC>),
    /// Another one, of an HTLC that it fails with PERM|15.
    Refused(Box<msgs::UpdateAddHTLC>),
}

/// The kind of a translated HTLC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A shard.
    Amp,
    /// The preimage follows from the shared secret.
    Ecdh(Version),
}

/// Holds the keys of translation.
pub struct Translator {
    secret: Zeroizing<[u8; 32]>,
    /// Those that LDK verifies its payment secrets with.
    keys: ExpandedKey,
}

/// What the payload becomes.
enum Rewrite {
    To(Kind, Box<FinalPayload>),
    Refusal,
}

/// Far beyond any block's time: how long an invoice is payable is decided elsewhere.
const NEVER_SECONDS: u32 = u32::MAX;

/// LDK appends its nonce to encrypted metadata.
const NONCE: usize = 16;

impl Translator {
    /// `keys` are those of the node's own signer; the secret is the node's.
    pub fn new(node_secret: [u8; 32], keys: ExpandedKey) -> Translator {
        Translator { secret: Zeroizing::new(node_secret), keys }
    }

    /// Whether the HTLC can be one that is translated, as far as is seen without its secret.
    pub fn may_translate(htlc: &msgs::UpdateAddHTLC, kinds: &Kinds) -> bool {
        (kinds.any_amp() || kinds.any_ecdh()) && htlc.blinding_point.is_none()
    }

    /// Translates an HTLC, given the secret that this node shares with its sender.
    pub fn translate(
        &self,
        htlc: &msgs::UpdateAddHTLC,
        shared_secret: &SharedSecret,
        kinds: &Kinds,
    ) -> Translation {
        if !Translator::may_translate(htlc, kinds) {
            return Translation::Untouched;
        }
        self.try_translate(htlc, shared_secret, kinds).unwrap_or(Translation::Untouched)
    }

    fn try_translate(
        &self,
        htlc: &msgs::UpdateAddHTLC,
        shared_secret: &SharedSecret,
        kinds: &Kinds,
    ) -> Option<Translation> {
        let packet = read_packet(&htlc.onion_routing_packet)?;
        let hash = PaymentHash::from_bytes(htlc.payment_hash.0);
        let payload = peel_final(shared_secret, &packet, &htlc.payment_hash.0).ok()??;
        let Ok(HopPayload::Final(payload)) = HopPayload::read(&payload, Position::Final, None) else {
            return None;
        };
        let write = |payload: &FinalPayload| {
            let resealed = reseal(shared_secret, &packet, &payload.encode(), &htlc.payment_hash.0);
            resealed.map(|packet| Box::new(with_packet(htlc, &packet)))
        };
        let refusal = refusal(&payload);
        if let Rewrite::To(kind, payload) = self.rewrite(payload, &hash, shared_secret, kinds)? {
            match write(&payload) {
                Ok(htlc) => return Some(Translation::Translated(kind, htlc)),
                Err(ResealError::TooLarge { .. }) => {}
                Err(_) => return None,
            }
        }
        write(&refusal).ok().map(Translation::Refused)
    }

    /// `None` if the payload is not ours to change.
    fn rewrite(
        &self,
        mut payload: FinalPayload,
        hash: &PaymentHash,
        shared_secret: &SharedSecret,
        kinds: &Kinds,
    ) -> Option<Rewrite> {
        if payload.custom_records.value(RecordType::INVOICE_REQUEST.to_u64()).is_some() {
            return None;
        }
        match (payload.amp.take(), &payload.payment_data, &payload.keysend) {
            (Some(_), ..) if !kinds.any_amp() => None,
            (Some(record), Some(_), None) => Some(self.rewrite_amp(payload, record, hash)),
            (Some(_), ..) => Some(Rewrite::Refusal),
            (None, None, None) if kinds.any_ecdh() => Some(rewrite_ecdh(payload, hash, shared_secret, kinds)),
            _ => None,
        }
    }

    /// A payment of this shard alone, as far as LDK knows.
    fn rewrite_amp(&self, mut payload: FinalPayload, record: AmpRecord, hash: &PaymentHash) -> Rewrite {
        let Some(payment_data) = payload.payment_data.take() else { return Rewrite::Refusal };
        let facts = facts::encode(&AmpShard { payment_data, record });
        let Some((secret, metadata)) = self.seal_facts(hash, facts) else { return Rewrite::Refusal };
        payload.payment_data = Some(PaymentData::new(secret, payload.amt_to_forward));
        payload.payment_metadata = Some(metadata);
        Rewrite::To(Kind::Amp, Box::new(payload))
    }

    /// LDK encrypts the facts and makes the secret that authenticates them, bound to the hash.
    fn seal_facts(&self, hash: &PaymentHash, facts: Vec<u8>) -> Option<(PaymentSecret, Vec<u8>)> {
        let entropy = Entropy(self.entropy(hash, &facts));
        let hash = LdkHash(hash.to_bytes());
        let sealed = inbound_payment::create_from_hash(
            &self.keys,
            None,
            hash,
            NEVER_SECONDS,
            &entropy,
            0,
            None,
            Some(facts),
        );
        let (secret, metadata) = sealed.ok()?;
        Some((PaymentSecret::from_bytes(secret.0), metadata?))
    }

    /// What the facts say that LDK gives back under a hash. (LDK decrypts them by itself; the cipher
    /// is a stream, so the call that encrypted them decrypts them, too.) `None` for bytes that say
    /// nothing; whether they are ours LDK alone tells, by the payment secret.
    pub fn open_facts(&self, hash: &PaymentHash, metadata: &[u8]) -> Option<AmpShard> {
        let (sealed, nonce) = metadata.split_last_chunk::<NONCE>()?;
        let mut entropy = Entropy([0; 32]);
        entropy.0[..NONCE].copy_from_slice(nonce);
        let hash = LdkHash(hash.to_bytes());
        let opened = inbound_payment::create_from_hash(
            &self.keys,
            None,
            hash,
            NEVER_SECONDS,
            &entropy,
            0,
            None,
            Some(sealed.to_vec()),
        );
        let (_, facts) = opened.ok()?;
        facts::decode(facts?.strip_suffix(nonce)?)
    }

    /// `HMAC(node secret, "amp" ‖ payment hash ‖ facts)`: the nonce that LDK encrypts with is
    /// another for all other facts, and the same for the same.
    fn entropy(&self, hash: &PaymentHash, facts: &[u8]) -> [u8; 32] {
        let mut engine = HmacEngine::<sha256::Hash>::new(&*self.secret);
        for part in [b"amp", &hash.to_bytes()[..], facts] {
            engine.input(part);
        }
        Hmac::from_engine(engine).to_byte_array()
    }
}

/// The kind that the payload says, if it is on; a keysend if the hash opens.
fn rewrite_ecdh(
    mut payload: FinalPayload,
    hash: &PaymentHash,
    shared_secret: &SharedSecret,
    kinds: &Kinds,
) -> Rewrite {
    let marker = payload.custom_records.value(ECDH_RECORD.to_u64());
    let version = match Version::of_record(marker) {
        Ok(Version::Ecdh0) if kinds.ecdh0 => Version::Ecdh0,
        Ok(Version::Ecdh1) if kinds.ecdh1 => Version::Ecdh1,
        _ => return Rewrite::Refusal,
    };
    match version.open(shared_secret, hash) {
        Some(preimage) => {
            payload.keysend = Some(preimage);
            Rewrite::To(Kind::Ecdh(version), Box::new(payload))
        }
        None => Rewrite::Refusal,
    }
}

/// Amount and expiry, which LDK checks first, and a secret that it knows of no payment: it answers
/// as for an unknown hash (law 7). No other record, so that there is room for it always.
fn refusal(payload: &FinalPayload) -> FinalPayload {
    let mut refusal = FinalPayload::new(payload.amt_to_forward, payload.outgoing_cltv_value);
    let nobody = PaymentSecret::from_bytes([0; 32]);
    refusal.payment_data = Some(PaymentData::new(nobody, payload.amt_to_forward));
    refusal
}

fn read_packet(packet: &msgs::OnionPacket) -> Option<OnionPacket> {
    let key = packet.public_key.ok()?.serialize();
    OnionPacket::from_parts(packet.version, &key, &packet.hop_data, &packet.hmac).ok()
}

fn with_packet(htlc: &msgs::UpdateAddHTLC, packet: &OnionPacket) -> msgs::UpdateAddHTLC {
    let mut htlc = htlc.clone();
    htlc.onion_routing_packet.hop_data.copy_from_slice(packet.hop_payloads());
    htlc.onion_routing_packet.hmac = *packet.hmac();
    htlc
}

/// Bytes that were decided before.
struct Entropy([u8; 32]);

impl EntropySource for Entropy {
    fn get_secure_random_bytes(&self) -> [u8; 32] {
        self.0
    }
}
