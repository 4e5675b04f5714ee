use super::*;
use bitcoin::secp256k1::Secp256k1;
use lightning::ln::msgs::{CommitmentUpdate, OnionPacket};
use lightning::types::payment::PaymentHash as LdkHash;
use lightning::util::ser::{LengthReadable, Writeable as _};
use sponte_proto::ecdh::Version;
use sponte_proto::failure::{FailureCode, FailurePacket, decode_failure};
use sponte_proto::onion::{PAYMENT_PAYLOADS, RouteSecrets};
use sponte_proto::payload::FinalPayload;
use sponte_proto::{CltvExpiry, Msat};

fn peer(n: u8) -> PublicKey {
    let secret = bitcoin::secp256k1::SecretKey::from_slice(&[n; 32]).expect("a valid scalar");
    PublicKey::from_secret_key(&Secp256k1::new(), &secret)
}

const CHANNEL: ChannelId = ChannelId([7; 32]);
const KINDS: Kinds = Kinds { ecdh0: true, ..NO_KINDS };

fn interpreter() -> Interpreter {
    let signer = Arc::new(KeysManager::new(&[4; 32], 1, 1, true));
    let interpreter = Interpreter::new([5; 32], signer, Htlcs::default(), SentHtlcs::default());
    interpreter.accept(KINDS);
    interpreter.htlcs.channel_ready(CHANNEL, peer(1));
    interpreter
}

/// An ecdh0 HTLC to the interpreter's node, and what its sender knows.
fn htlc(interpreter: &Interpreter) -> (UpdateAddHTLC, SharedSecret) {
    let secp = Secp256k1::new();
    let node = interpreter.signer.get_node_secret_key().public_key(&secp);
    let session_key = bitcoin::secp256k1::SecretKey::from_slice(&[0x41; 32]).expect("a valid scalar");
    let route = RouteSecrets::new(&secp, &session_key, &[node]).expect("a route");
    let secret = route.shared_secrets()[0].clone();
    let hash = Version::Ecdh0.preimage(&secret).payment_hash();
    let payload = FinalPayload::new(Msat::from_sat(50).expect("small"), CltvExpiry::new(800_000));
    let packet = route.build(&[payload.encode()], &hash.to_bytes(), PAYMENT_PAYLOADS).expect("it fits");
    let htlc = UpdateAddHTLC {
        channel_id: CHANNEL,
        htlc_id: 3,
        amount_msat: 50_000,
        payment_hash: LdkHash(hash.to_bytes()),
        cltv_expiry: 800_000,
        skimmed_fee_msat: None,
        onion_routing_packet: OnionPacket {
            version: 0,
            public_key: PublicKey::from_slice(packet.public_key()),
            hop_data: packet.hop_payloads().try_into().expect("1,300 bytes"),
            hmac: *packet.hmac(),
        },
        blinding_point: None,
        hold_htlc: None,
        accountable: None,
    };
    (htlc, secret)
}

fn failure(htlc_id: u64) -> MessageSendEvent {
    let mut wire = CHANNEL.0.to_vec();
    wire.extend(htlc_id.to_be_bytes());
    wire.extend([0, 3, 1, 2, 3]);
    let message = UpdateFailHTLC::read_from_fixed_length_buffer(&mut &wire[..]).expect("well formed");
    let updates = CommitmentUpdate {
        update_add_htlcs: vec![],
        update_fulfill_htlcs: vec![],
        update_fail_htlcs: vec![message],
        update_fail_malformed_htlcs: vec![],
        update_fee: None,
        commitment_signed: vec![],
    };
    MessageSendEvent::UpdateHTLCs { node_id: peer(1), channel_id: CHANNEL, updates }
}

fn reason(event: &MessageSendEvent) -> Vec<u8> {
    let MessageSendEvent::UpdateHTLCs { updates, .. } = event else { panic!("{event:?}") };
    updates.update_fail_htlcs[0].encode()[42..].to_vec()
}

#[test]
fn a_peer_that_does_not_have_the_channel_is_not_listened_to() {
    let interpreter = interpreter();
    let (mut htlc, _) = htlc(&interpreter);
    assert!(interpreter.incoming(&peer(2), &htlc).is_none() && interpreter.htlcs.is_empty());
    assert!(interpreter.incoming(&peer(1), &htlc).is_some() && !interpreter.htlcs.is_empty());
    // Another peer's message under the same number changes nothing, nor does another channel.
    interpreter.accept(NO_KINDS);
    assert!(interpreter.incoming(&peer(2), &htlc).is_none() && !interpreter.htlcs.is_empty());
    htlc.channel_id = ChannelId([8; 32]);
    assert!(interpreter.incoming(&peer(1), &htlc).is_none() && !interpreter.htlcs.is_empty());
    htlc.channel_id = CHANNEL;
    assert!(interpreter.incoming(&peer(1), &htlc).is_none() && interpreter.htlcs.is_empty());
}

#[test]
fn a_timeout_takes_the_place_of_ldks_answer_every_time() {
    let interpreter = interpreter();
    let (htlc, secret) = htlc(&interpreter);
    interpreter.incoming(&peer(1), &htlc).expect("it is translated");
    let mut events = [failure(3)];
    interpreter.outgoing(&mut events);
    assert_eq!(reason(&events[0]), [1, 2, 3], "LDK's own");

    let hash = PaymentHash::from_bytes(htlc.payment_hash.0);
    interpreter.htlcs.fail_with(&hash, FailureCode::MPP_TIMEOUT);
    for _ in 0..2 {
        let mut events = [failure(3), failure(4)];
        interpreter.outgoing(&mut events);
        let packet = FailurePacket::from_bytes(reason(&events[0]));
        let decoded = decode_failure(std::slice::from_ref(&secret), &packet, None).failure.expect("decodes");
        assert_eq!(decoded.failure, Failure::MppTimeout);
        assert_eq!(reason(&events[1]), [1, 2, 3], "of another HTLC");
    }
}

#[test]
fn features_are_those_of_the_kinds_that_are_on() {
    let interpreter = interpreter();
    let ldk = NodeFeatures::from_le_bytes(vec![0x02, 0x80, 0, 0, 0, 0, 0x80]);
    let cases = [
        (NO_KINDS, vec![0x02, 0x80]),
        (Kinds { keysend: true, ..NO_KINDS }, vec![0x02, 0x80, 0, 0, 0, 0, 0x80]),
        (Kinds { amp: true, ..NO_KINDS }, vec![0x02, 0x80, 0, 0x80]),
        (Kinds { amp_invoice: true, ..NO_KINDS }, vec![0x02, 0x80, 0, 0x80]),
        (Kinds { ecdh1: true, ecdh0: true, mpp_keysend: true, ..NO_KINDS }, vec![0x02, 0x80]),
        (Kinds::default(), vec![0x02, 0x80, 0, 0x80, 0, 0, 0x80]),
    ];
    for (kinds, expected) in cases {
        interpreter.accept(kinds);
        assert_eq!(interpreter.node_features(ldk.clone()).le_flags(), expected, "{kinds:?}");
        let init = interpreter.init_features(InitFeatures::from_le_bytes(vec![0x02]));
        let expected = if kinds.any_amp() { vec![0x02, 0, 0, 0x80] } else { vec![0x02] };
        assert_eq!(init.le_flags(), expected, "{kinds:?}");
    }
}

#[test]
fn a_channel_that_became_ready_carries_htlcs() {
    let interpreter = interpreter();
    let mut wire = vec![9; 32];
    wire.extend(peer(5).serialize());
    let msg = LengthReadable::read_from_fixed_length_buffer(&mut &wire[..]).expect("well formed");
    interpreter.outgoing(&mut [MessageSendEvent::SendChannelReady { node_id: peer(2), msg }]);
    assert!(interpreter.htlcs.is_channel(ChannelId([9; 32]), &peer(2)));
}

/// A peer may name any channel: what it says of others' HTLCs is not believed.
#[test]
fn only_who_has_the_channel_fails_an_htlc_in_it() {
    use sponte_engine::backend::SessionKey;
    use sponte_engine::commit::PartFailure;
    use sponte_proto::{NodeId, PaymentId, ShortChannelId};

    let interpreter = interpreter();
    let node = NodeId::from_bytes(peer(2).serialize()).expect("a point");
    let sent = crate::sent::SentHtlc {
        session_key: SessionKey::from_bytes([0x41; 32]),
        hash: PaymentHash::from_bytes([6; 32]),
        channel: CHANNEL,
        hops: vec![(node, ShortChannelId::new(101))],
        number: None,
        failure: None,
    };
    let part = PaymentId::from_bytes([1; 32]);
    assert!(interpreter.sent.insert(part, sent));
    let (mut leaving, _) = htlc(&interpreter);
    leaving.payment_hash = LdkHash([6; 32]);
    let updates = CommitmentUpdate {
        update_add_htlcs: vec![leaving.clone()],
        update_fulfill_htlcs: vec![],
        update_fail_htlcs: vec![],
        update_fail_malformed_htlcs: vec![],
        update_fee: None,
        commitment_signed: vec![],
    };
    interpreter.outgoing(&mut [MessageSendEvent::UpdateHTLCs {
        node_id: peer(1),
        channel_id: CHANNEL,
        updates,
    }]);
    let mut wire = CHANNEL.0.to_vec();
    wire.extend(leaving.htlc_id.to_be_bytes());
    wire.extend([0; 32]);
    wire.extend([0xc0, 5]);
    let malformed =
        UpdateFailMalformedHTLC::read_from_fixed_length_buffer(&mut &wire[..]).expect("well formed");
    interpreter.malformed(&peer(2), &malformed);
    assert_eq!(interpreter.sent.end(&part, None), PartFailure::default());
    interpreter.malformed(&peer(1), &malformed);
    assert_eq!(interpreter.sent.end(&part, None).hop, Some(1));
}
