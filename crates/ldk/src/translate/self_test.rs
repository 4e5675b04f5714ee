//! Whether LDK reads and writes what translation relies on. Pinned as it is, only a build with
//! another LDK can fail it; it is asked at every start, before anything is read or taken in.

use super::{Kind, Translation, Translator, fail_with, with_packet};
use crate::log::Log;
use bitcoin::secp256k1::{All, Secp256k1, SecretKey};
use lightning::ln::channelmanager::PendingHTLCRouting;
use lightning::ln::msgs::{OnionPacket as LdkPacket, UpdateAddHTLC, UpdateFailHTLC};
use lightning::ln::onion_payment::peel_payment_onion;
use lightning::ln::types::ChannelId;
use lightning::sign::{KeysManager, NodeSigner as _};
use lightning::types::payment::PaymentHash as LdkHash;
use lightning::util::ser::{LengthReadable as _, Writeable as _};
use sponte_engine::backend::{AmpShard, Kinds};
use sponte_proto::amp::{AmpRecord, SetId, Share};
use sponte_proto::ecdh::{ECDH_RECORD, Version};
use sponte_proto::failure::{ATTRIBUTION_LEN, AttributionData, Failure, FailurePacket, decode_failure};
use sponte_proto::mpp::PaymentData;
use sponte_proto::onion::{PAYMENT_PAYLOADS, RouteSecrets, SharedSecret};
use sponte_proto::payload::FinalPayload;
use sponte_proto::{CltvExpiry, Msat, PaymentHash, PaymentSecret, Records};

const HEIGHT: u32 = 1_000;
const EXPIRY: u32 = HEIGHT + 500;
const AMOUNT_MSAT: u64 = 50_000;

/// # Errors
/// What LDK does in another way.
pub(crate) fn self_test() -> Result<(), &'static str> {
    let node = Node::new();
    node.shard().ok_or("a translated shard")?;
    node.ecdh().ok_or("a translated keysend")?;
    failure().ok_or("the message that fails an HTLC")
}

/// A node that there is nowhere else, and a payer of it.
struct Node {
    signer: KeysManager,
    translator: Translator,
    payer: RouteSecrets,
    secp: Secp256k1<All>,
}

impl Node {
    fn new() -> Node {
        let secp = Secp256k1::new();
        let signer = KeysManager::new(&[1; 32], 1, 1, true);
        let translator = Translator::new([2; 32], signer.get_expanded_key());
        let session_key = SecretKey::from_slice(&[3; 32]).expect("not zero, and below the order");
        let id = signer.get_node_secret_key().public_key(&secp);
        let payer = RouteSecrets::new(&secp, &session_key, &[id]).expect("one hop");
        Node { signer, translator, payer, secp }
    }

    fn secret(&self) -> &SharedSecret {
        &self.payer.shared_secrets()[0]
    }

    /// Translates an HTLC with this payload; LDK reads what has become of it.
    fn read(&self, payload: &FinalPayload, hash: PaymentHash, kind: Kind) -> Option<PendingHTLCRouting> {
        let packet = self.payer.build(&[payload.encode()], &hash.to_bytes(), PAYMENT_PAYLOADS).ok()?;
        let key = packet.point().copied();
        let empty = LdkPacket { version: 0, public_key: Ok(key?), hop_data: [0; 1300], hmac: [0; 32] };
        let htlc = UpdateAddHTLC {
            channel_id: ChannelId([4; 32]),
            htlc_id: 0,
            amount_msat: AMOUNT_MSAT,
            payment_hash: LdkHash(hash.to_bytes()),
            cltv_expiry: EXPIRY,
            skimmed_fee_msat: None,
            onion_routing_packet: empty,
            blinding_point: None,
            hold_htlc: None,
            accountable: None,
        };
        let htlc = with_packet(&htlc, &packet);
        let translation = self.translator.translate(&htlc, self.secret(), &Kinds::default());
        let Translation::Translated(found, htlc) = translation else { return None };
        let peeled = peel_payment_onion(&htlc, &self.signer, Log, &self.secp, HEIGHT, false).ok()?;
        let same_secret = peeled.incoming_shared_secret == *self.secret().as_bytes();
        (found == kind && same_secret).then_some(peeled.routing)
    }

    fn shard(&self) -> Option<()> {
        let hash = PaymentHash::from_bytes([5; 32]);
        let total = Msat::new(3 * AMOUNT_MSAT)?;
        let payment_data = PaymentData::new(PaymentSecret::from_bytes([6; 32]), total);
        let record = AmpRecord {
            root_share: Share::from_bytes([7; 32]),
            set_id: SetId::from_bytes([8; 32]),
            child_index: 9,
        };
        let mut payload = payload(&[(65_536, vec![1])])?;
        payload.payment_data = Some(payment_data.clone());
        payload.amp = Some(record.clone());

        let routing = self.read(&payload, hash, Kind::Amp)?;
        let PendingHTLCRouting::Receive { payment_data: data, payment_metadata, custom_tlvs, .. } = routing
        else {
            return None;
        };
        let alone = data.total_msat == AMOUNT_MSAT && custom_tlvs == [(65_536, vec![1])];
        let facts = self.translator.open_facts(&hash, &payment_metadata?)?;
        (alone && facts == AmpShard { payment_data, record }).then_some(())
    }

    fn ecdh(&self) -> Option<()> {
        let version = Version::Ecdh1;
        let marker = (ECDH_RECORD.to_u64(), version.record()?.to_vec());
        let preimage = version.preimage(self.secret());
        let routing = self.read(&payload(&[marker])?, preimage.payment_hash(), Kind::Ecdh(version))?;
        let PendingHTLCRouting::ReceiveKeysend { payment_preimage, .. } = routing else { return None };
        (payment_preimage.0 == preimage.to_bytes()).then_some(())
    }
}

fn payload(records: &[(u64, Vec<u8>)]) -> Option<FinalPayload> {
    let mut payload = FinalPayload::new(Msat::new(AMOUNT_MSAT)?, CltvExpiry::new(EXPIRY));
    payload.custom_records = Records::from_received(records.iter().cloned());
    Some(payload)
}

/// A rewritten failure goes through LDK's codec and decodes at the sender.
fn failure() -> Option<()> {
    let secret = SharedSecret::from_bytes([10; 32]);
    let mut wire = vec![11; 40];
    wire.extend([0, 1, 0, 1, 0xfd]);
    wire.extend((ATTRIBUTION_LEN as u16).to_be_bytes());
    wire.extend([0; ATTRIBUTION_LEN]);
    let message = UpdateFailHTLC::read_from_fixed_length_buffer(&mut &wire[..]).ok()?;

    let wire = fail_with(&message, &secret, &Failure::MppTimeout)?.encode();
    let (head, rest) = wire.split_at_checked(40)?;
    let (length, rest) = rest.split_first_chunk()?;
    let (reason, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    let (kind, data) = rest.split_first_chunk::<4>()?;
    let data = AttributionData::decode(data).ok()?;
    let report = decode_failure(&[secret], &FailurePacket::from_bytes(reason.to_vec()), Some(&data));
    let decoded = report.failure.is_ok_and(|decoded| decoded.failure == Failure::MppTimeout);
    (decoded && report.unattributed.is_none() && head == [11; 40] && kind[..2] == [1, 0xfd]).then_some(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_ldk_passes() {
        assert_eq!(super::self_test(), Ok(()));
    }
}
