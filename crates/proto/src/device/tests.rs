//! The figures of `vectors/ecdh_offline.json`.

use super::*;
use crate::mpp::PaymentData;
use crate::onion::{PAYMENT_PAYLOADS, RouteSecrets, peel};
use crate::vectors::{array, packet, payload, public_key, secret_key, vector_file};
use crate::{
    CltvExpiryDelta, Msat, PaymentHash, PaymentSecret, Preimage, RecordType, ShortChannelId, TlvStream,
};
use alloc::{string::ToString as _, vec::Vec};
use lightning::bolt11_invoice::Bolt11Invoice;
use proptest::prelude::*;
use secp256k1::{PublicKey, Secp256k1, SecretKey};
use serde_json::Value;

/// LDK reads the invoice and checks its signature.
fn check_invoice(
    figures: &Value,
    payee: &PublicKey,
    scid: ShortChannelId,
    hash: PaymentHash,
    secret: &PaymentSecret,
) {
    let text = figures["invoice"].as_str().expect("a string");
    let invoice: Bolt11Invoice = text.parse().expect("a valid invoice");
    assert_eq!(invoice.recover_payee_pub_key().serialize(), payee.serialize());
    assert_eq!(invoice.payment_hash().0, hash.to_bytes());
    assert_eq!(invoice.payment_secret().0, *secret.as_bytes());
    assert_eq!(invoice.amount_milli_satoshis().unwrap_or(0), figures["amount_msat"].as_u64().expect("msat"));
    let hints = invoice.private_routes();
    let [hint] = &hints[0].0[..] else { panic!("one hop") };
    assert_eq!(hint.short_channel_id, scid.to_u64());
}

#[test]
fn device0() {
    let file = vector_file!("ecdh_offline");
    for figures in file["v0"].as_array().expect("an array") {
        let (device_key, node_key) =
            (secret_key(&figures["device_privkey"]), secret_key(&figures["node_privkey"]));
        let (device_id, node_id) =
            (public_key(&figures["device_pubkey_K"]), public_key(&figures["node_pubkey_N"]));
        let device = Device0::new(&node_id, &device_key);
        assert_eq!(device, Device0::new(&device_id, &node_key));
        assert_eq!(device, Device0::from_bytes(array(&figures["ecdh_x"])));

        let amount = figures["amount_msat"].as_u64().and_then(Msat::new).expect("an amount");
        let scid = Device0::short_channel_id(amount);
        assert_eq!(scid.to_bytes(), array(&figures["scid_bytes"]));
        assert_eq!(Some(scid.to_u64()), figures["scid_u64"].as_u64());
        let preimage = device.preimage(scid);
        assert_eq!(preimage, Preimage::from_bytes(array(&figures["preimage"])));
        let hash = PaymentHash::from_bytes(array(&figures["payment_hash"]));
        assert!(preimage.opens(&hash));
        let secret = device.payment_secret(scid);
        assert_eq!(secret, PaymentSecret::from_bytes(array(&figures["payment_secret"])));
        assert_eq!(confirmation_code(&preimage), figures["confirmation_code6"]);
        if !figures["invoice"].is_null() {
            check_invoice(figures, &device_id, scid, hash, &secret);
        }
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).expect("a number")
}

fn terms_of(figures: &Value) -> Terms {
    Terms {
        amount: Msat::new(number(&figures["amount_msat"])).filter(|amount| *amount != Msat::ZERO),
        expiry_unix_s: (number(&figures["timestamp"]) + number(&figures["expiry_seconds"])) as u32,
        min_final_cltv: CltvExpiryDelta::new(number(&figures["min_final_cltv"]) as u16),
    }
}

#[test]
fn device1() {
    let file = vector_file!("ecdh_offline");
    let secp = Secp256k1::new();
    for figures in file["v1"].as_array().expect("an array") {
        let (device_key, node_key) =
            (secret_key(&figures["device_privkey"]), secret_key(&figures["node_privkey"]));
        let index = number(&figures["device_index"]) as u32;
        let at_device =
            Device1::new(&public_key(&figures["node_pubkey"]), &device_key, index).expect("20 bits");
        let at_node =
            Device1::new(&public_key(&figures["device_pubkey"]), &node_key, index).expect("20 bits");
        assert_eq!(at_device, at_node);

        let terms = terms_of(figures);
        let invoice = at_device.invoice(number(&figures["counter"]), &terms).expect("40 bits");
        let scid = invoice.short_channel_id();
        assert_eq!(scid.to_u64(), number(&figures["scid_u64"]));
        assert_eq!(scid.to_bytes(), array(&figures["scid_bytes"]));
        assert_eq!(scid.to_string(), figures["scid_text"].as_str().expect("a string"));
        assert_eq!(*invoice.signing_key(), secret_key(&figures["invoice_privkey"]));
        let payee = invoice.signing_key().public_key(&secp);
        assert_eq!(payee, public_key(&figures["invoice_pubkey"]));
        assert_eq!(*invoice.payment_secret(), PaymentSecret::from_bytes(array(&figures["payment_secret"])));
        assert_eq!(invoice.payment_secret().as_bytes()[..16], array::<16>(&figures["iv16"]));
        assert_eq!(invoice.payment_secret().as_bytes()[16..], array::<16>(&figures["enc16"]));
        assert_eq!(*invoice.preimage(), Preimage::from_bytes(array(&figures["preimage"])));
        let hash = PaymentHash::from_bytes(array(&figures["payment_hash"]));
        assert!(invoice.preimage().opens(&hash));
        assert_eq!(confirmation_code(invoice.preimage()), figures["confirmation_code6"]);
        check_invoice(figures, &payee, scid, hash, invoice.payment_secret());

        assert_eq!(Device1::index_of(scid), Some(index));
        assert_eq!(at_node.open(scid, invoice.payment_secret()), Ok((terms, invoice.preimage().clone())));
        check_onion(figures, &at_node, scid, &hash);
    }
}

/// The payer's onion over the hint; the node peels its own layer, then the payee's.
fn check_onion(figures: &Value, at_node: &Device1, scid: ShortChannelId, hash: &PaymentHash) {
    let secp = Secp256k1::new();
    let onion = &figures["example_onion"];
    let route = [public_key(&figures["node_pubkey"]), public_key(&figures["invoice_pubkey"])];
    let payloads = [payload(&onion["payload_for_N"]), payload(&onion["payload_for_K"])];
    let secrets = RouteSecrets::new(&secp, &secret_key(&onion["session_key"]), &route).expect("a route");
    let built = secrets.build(&payloads, &hash.to_bytes(), PAYMENT_PAYLOADS).expect("it fits");
    assert_eq!(built, packet(&onion["packet"]));

    let node_key = secret_key(&figures["node_privkey"]);
    let outer = peel(&secp, &node_key, &built, &hash.to_bytes()).expect("ours");
    let stream = TlvStream::read(&outer.payload).expect("a stream");
    assert_eq!(stream.value(RecordType::SHORT_CHANNEL_ID), Some(&scid.to_bytes()[..]));
    let inner = outer.next.expect("the payee follows");
    assert_eq!(inner, packet(&onion["inner_packet_after_N"]));
    let payee_key = at_node.signing_key(scid).expect("a key");
    let last = peel(&secp, &payee_key, &inner, &hash.to_bytes()).expect("the payee's");
    assert!(last.next.is_none());
    let stream = TlvStream::read(&last.payload).expect("a stream");
    let data =
        PaymentData::decode(stream.value(RecordType::PAYMENT_DATA).expect("it is there")).expect("valid");
    let (terms, preimage) = at_node.open(scid, data.payment_secret()).expect("the device's");
    assert!(preimage.opens(hash) && terms.amount.is_none_or(|amount| data.total() >= amount));
}

fn device(index: u32) -> Device1 {
    let secp = Secp256k1::new();
    let keys = [1, 2].map(|byte| SecretKey::from_slice(&[byte; 32]).expect("a secret key"));
    Device1::new(&keys[1].public_key(&secp), &keys[0], index).expect("20 bits")
}

#[test]
fn ranges() {
    let secp = Secp256k1::new();
    let key = SecretKey::from_slice(&[1; 32]).expect("a secret key");
    assert!(Device1::new(&key.public_key(&secp), &key, 1 << 20).is_none());
    let terms = Terms { amount: None, expiry_unix_s: u32::MAX, min_final_cltv: CltvExpiryDelta::new(42) };
    assert!(device(1).invoice(1 << 40, &terms).is_none());
    assert_eq!(Device1::index_of(ShortChannelId::new(0xc << 60)), None);
    let invoice = device(1).invoice(1, &terms).expect("40 bits");
    let opened = device(2).open(invoice.short_channel_id(), invoice.payment_secret());
    assert_eq!(opened, Err(DeviceError::OtherDevice));
}

proptest! {
    #[test]
    fn terms_round_trip(
        counter in 0u64..1 << 40, index in 0u32..1 << 20, msat in 1..=Msat::MAX.to_msat(), any: bool, expiry: u32, delta: u16,
    ) {
        let amount = Msat::new(msat).filter(|_| !any);
        let terms = Terms { amount, expiry_unix_s: expiry, min_final_cltv: CltvExpiryDelta::new(delta) };
        let device = device(index);
        let invoice = device.invoice(counter, &terms).expect("in range");
        let opened = device.open(invoice.short_channel_id(), invoice.payment_secret());
        prop_assert_eq!(opened, Ok((terms, invoice.preimage().clone())));
    }

    #[test]
    fn one_flipped_bit_of_secret_or_channel(bit in 0usize..256, channel_bit in 0u32..40) {
        let terms = Terms { amount: Msat::from_sat(5), expiry_unix_s: 1, min_final_cltv: CltvExpiryDelta::new(42) };
        let device = device(3);
        let invoice = device.invoice(9, &terms).expect("in range");
        let mut secret = *invoice.payment_secret().as_bytes();
        let other = ShortChannelId::new(invoice.short_channel_id().to_u64() ^ 1 << channel_bit);
        prop_assert_eq!(device.open(other, invoice.payment_secret()), Err(DeviceError::WrongSecret));
        secret[bit / 8] ^= 1 << (bit % 8);
        let opened = device.open(invoice.short_channel_id(), &PaymentSecret::from_bytes(secret));
        prop_assert_eq!(opened, Err(DeviceError::WrongSecret));
    }

    #[test]
    fn any_bytes_never_panic(channel: u64, secret: [u8; 32]) {
        prop_assert!(device(3).open(ShortChannelId::new(channel), &PaymentSecret::from_bytes(secret)).is_err());
    }

    #[test]
    fn codes_have_six_digits(bytes: [u8; 32]) {
        let digits: Vec<char> = confirmation_code(&Preimage::from_bytes(bytes)).chars().collect();
        prop_assert!(digits.len() == 6 && digits.iter().all(char::is_ascii_digit));
    }
}
