//! A keysend into a blinded path is LDK's alone.

use super::{AMOUNT, DELTA, Payer};
use bitcoin::secp256k1::PublicKey;
use sponte_proto::payload::BlindedFinalPayload;
use sponte_proto::{KEYSEND_RECORD, Msat, Preimage, write_bigsize};
use sponte_testkit::{Net, Outcome, RawHop, RawHtlc, RawNode, Sent};

/// Whose path it is nobody says: its data opens with no key.
fn send(raw: &RawNode, hop: RawHop, keysend: bool) -> Sent {
    let preimage = Preimage::from_bytes([1; 32]);
    let hash = RawHtlc::of_hash(preimage.payment_hash());
    let key = PublicKey::from_slice(&raw.id().to_bytes()).expect("a point");
    let payload = move |expiry| {
        let payload = BlindedFinalPayload {
            amt_to_forward: AMOUNT,
            outgoing_cltv_value: expiry,
            encrypted_recipient_data: vec![7; 60],
            current_path_key: Some(key),
            total_amount: AMOUNT,
        };
        let mut out = payload.encode();
        if keysend {
            write_bigsize(&mut out, KEYSEND_RECORD);
            write_bigsize(&mut out, 32);
            out.extend(preimage.to_bytes());
        }
        out
    };
    raw.send(RawHtlc {
        route: vec![hop],
        amount: AMOUNT,
        final_delta: DELTA,
        hash,
        payload: Box::new(payload),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_into_a_blinded_path_is_answered_as_by_plain_ldk() {
    let net = Net::start().await;
    let carol = net.node("carol").await;
    let Payer { raw, route, .. } = Payer::direct(&net, &carol).await;
    let plain = RawNode::start(&net, "plain").await;
    raw.connect(plain.id(), &plain.address()).await;
    let channel = raw.open(&net, plain.id(), 1_000_000, Msat::ZERO).await;
    net.synced(&[&carol]).await;
    let to_plain = RawHop { node: plain.id(), channel, fee: Msat::ZERO, delta: 0 };
    for keysend in [true, false] {
        let answers =
            [send(&raw, route[0], keysend).ended().await, send(&raw, to_plain, keysend).ended().await];
        assert_eq!(answers[0], answers[1]);
        assert!(!matches!(answers[0], Outcome::Settled(_)), "{answers:?}");
    }
    assert!(carol.stored_keys("ldk.htlc").is_empty(), "nothing was translated");
    carol.audited().await;
}
