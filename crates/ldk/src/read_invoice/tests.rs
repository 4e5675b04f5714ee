//! Invoices of the vectors, and those that LDK's own builder makes.

use super::*;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use lightning::bolt11_invoice::{InvoiceBuilder, RawTaggedField, SiPrefix, TaggedField};
use lightning::types::features::Bolt11InvoiceFeatures;
use lightning::types::payment::{PaymentHash as LdkHash, PaymentSecret as LdkSecret};
use lightning::types::routing::RoutingFees;
use proptest::prelude::*;
use serde_json::Value;
use std::time::Duration;

const MADE: u64 = 1_700_000_000;

fn key() -> SecretKey {
    SecretKey::from_slice(&[0x41; 32]).expect("a key")
}

fn us() -> NodeId {
    node_id(&PublicKey::from_secret_key(&Secp256k1::new(), &key()))
}

/// One of regtest over 1,000 sat, in one part, valid for an hour.
fn raw() -> RawBolt11Invoice {
    let hop = RouteHintHop {
        src_node_id: PublicKey::from_secret_key(&Secp256k1::new(), &key()),
        short_channel_id: 7,
        fees: RoutingFees { base_msat: 1_000, proportional_millionths: 20 },
        cltv_expiry_delta: 40,
        htlc_minimum_msat: None,
        htlc_maximum_msat: None,
    };
    InvoiceBuilder::new(Currency::Regtest)
        .description("soup".into())
        .payment_hash(LdkHash([1; 32]))
        .payment_secret(LdkSecret([2; 32]))
        .duration_since_epoch(Duration::from_secs(MADE))
        .min_final_cltv_expiry_delta(18)
        .amount_milli_satoshis(1_000_000)
        .private_route(LdkHint(vec![hop]))
        .payment_metadata(vec![9, 9])
        .build_raw()
        .expect("all that an invoice needs")
}

fn sign(raw: RawBolt11Invoice) -> String {
    let sign = |message: &_| Secp256k1::new().sign_ecdsa_recoverable(message, &key());
    raw.sign::<_, ()>(|message| Ok(sign(message))).expect("it signs").to_string()
}

fn changed(change: impl FnOnce(&mut RawBolt11Invoice)) -> String {
    let mut raw = raw();
    change(&mut raw);
    sign(raw)
}

fn with_bit(bit: usize) -> String {
    changed(|raw| {
        for field in &mut raw.data.tagged_fields {
            if let RawTaggedField::KnownSemantics(TaggedField::Features(features)) = field {
                let mut bytes = features.le_flags().to_vec();
                bytes.resize(bytes.len().max(bit / 8 + 1), 0);
                bytes[bit / 8] |= 1 << (bit % 8);
                *features = Bolt11InvoiceFeatures::from_le_bytes(bytes);
            }
        }
    })
}

/// So many blocks at its end.
fn wanting(blocks: u64) -> String {
    changed(|raw| {
        for field in &mut raw.data.tagged_fields {
            if let RawTaggedField::KnownSemantics(TaggedField::MinFinalCltvExpiryDelta(delta)) = field {
                delta.0 = blocks;
            }
        }
    })
}

fn without(drop: impl Fn(&TaggedField) -> bool) -> String {
    changed(|raw| {
        raw.data.tagged_fields.retain(|field| match field {
            RawTaggedField::KnownSemantics(field) => !drop(field),
            RawTaggedField::UnknownSemantics(_) => true,
        });
    })
}

#[track_caller]
fn refused(text: &str, why: &str) {
    let refusal = read(text, Network::Regtest).expect_err(why);
    assert_eq!(refusal.kind, RefusalKind::Invalid);
    let message = refusal.message;
    assert!(message.contains(why) && message.contains(": ") && !message.contains('\n'), "{message}");
}

#[test]
fn an_ordinary_invoice_is_read_whole() {
    let text = sign(raw());
    let invoice = read(&text, Network::Regtest).expect("sound");
    let created_at = Timestamp::from_millis(MADE * 1_000);
    let hint = RouteHint {
        node: us(),
        channel: ShortChannelId::new(7),
        fee_base: Msat::new(1_000).expect("small"),
        fee_ppm: 20,
        cltv_delta: CltvExpiryDelta::new(40),
    };
    let expected = ReadInvoice {
        text: text.clone(),
        destination: us(),
        amount: Msat::new(1_000_000),
        hash: Some(PaymentHash::from_bytes([1; 32])),
        payment_addr: PaymentSecret::from_bytes([2; 32]),
        metadata: Some(vec![9, 9]),
        min_final_cltv: CltvExpiryDelta::new(18),
        hints: vec![vec![hint]],
        in_parts: false,
        created_at,
        expires_at: created_at.plus_millis(3_600_000),
        description: "soup".into(),
    };
    assert_eq!(invoice, expected);
    for text in [format!("lightning:{text}"), format!(" LIGHTNING://{}\n", text.to_uppercase())] {
        assert_eq!(read(&text, Network::Regtest).expect("the same"), expected, "{text}");
    }
}

#[test]
fn what_may_be_paid_in_parts_says_so() {
    for bit in [16, 17] {
        assert!(read(&with_bit(bit), Network::Regtest).expect("sound").in_parts, "bit {bit}");
    }
}

/// The invoices as LND makes them.
#[test]
fn amp_invoices_have_no_hash() {
    let file = include_str!("../../../proto/vectors/amp.json");
    let file: Value = serde_json::from_str(file).expect("JSON");
    let (first, any) = (&file["amp_invoices"][0], &file["amp_invoices"][1]);
    for figures in [first, any] {
        let text = figures["invoice"].as_str().expect("text");
        let invoice = read(text, Network::Bitcoin).expect("sound");
        assert_eq!(invoice.destination.to_string(), first["node_pubkey"]);
        assert_eq!(invoice.amount.map(Msat::to_msat), figures["amount_msat"].as_u64());
        assert_eq!((invoice.hash, invoice.in_parts), (None, true));
        assert_eq!(sponte_proto::hex(invoice.payment_addr.as_bytes()), first["payment_addr"]);
        assert_eq!(u64::from(invoice.min_final_cltv.to_u16()), first["min_final_cltv"]);
        let lasts = invoice.expires_at.millis_since(invoice.created_at) / 1_000;
        assert_eq!(lasts, first["expiry"]);
        assert_eq!(invoice.description, figures["description"].as_str().expect("text"));
        let refusal = read(text, Network::Regtest).expect_err("of another chain");
        assert!(refusal.message.contains("mainnet") && refusal.message.contains("regtest"), "{refusal}");
    }
}

#[test]
fn defaults_are_those_of_bolt_11() {
    let text = without(|field| {
        matches!(field, TaggedField::MinFinalCltvExpiryDelta(_) | TaggedField::ExpiryTime(_))
    });
    let invoice = read(&text, Network::Regtest).expect("sound");
    assert_eq!(invoice.min_final_cltv, CltvExpiryDelta::new(18));
    assert_eq!(invoice.expires_at.millis_since(invoice.created_at), 3_600_000);
}

#[test]
fn what_cannot_be_paid_is_refused_with_a_way_out() {
    refused("", "no invoice");
    refused("soup", "no invoice");
    refused("lni1pqps7sjqpgtyzm3qv4uxzmtsd3jjqer9wd3hy6tsw35k7msjzfpy7nz5yqcny", "BOLT 12");
    let text = sign(raw());
    refused(&text[..text.len() - 1], "no invoice");
    refused(&with_bit(262), "blinded");
    refused(&with_bit(263), "blinded");
    refused(&with_bit(100), "feature 100");
    refused(&without(|field| matches!(field, TaggedField::PaymentSecret(_))), "no payment secret");
    refused(&without(|field| matches!(field, TaggedField::PaymentHash(_))), "no payment hash");
    let twice = changed(|raw| {
        let field = TaggedField::PaymentSecret(LdkSecret([3; 32]));
        raw.data.tagged_fields.push(RawTaggedField::KnownSemantics(field));
    });
    refused(&twice, "more than one payment secret");
    refused(&wanting(798), "798 blocks");
    refused(&wanting((1 << 16) + 18), "65554 blocks");
    assert_eq!(read(&wanting(797), Network::Regtest).expect("sound").min_final_cltv.to_u16(), 797);
    for (amount, unit) in [(11, Some(SiPrefix::Pico)), (22_000_000, None), (u64::MAX, None), (0, None)] {
        let odd = changed(|raw| (raw.hrp.raw_amount, raw.hrp.si_prefix) = (Some(amount), unit));
        refused(&odd, "no amount that there is");
    }
    let stranger = changed(|raw| {
        let other = SecretKey::from_slice(&[0x42; 32]).expect("a key");
        let other = PublicKey::from_secret_key(&Secp256k1::new(), &other);
        let field = TaggedField::PayeePubKey(lightning::bolt11_invoice::PayeePubKey(other));
        raw.data.tagged_fields.push(RawTaggedField::KnownSemantics(field));
    });
    refused(&stranger, "signature is wrong");
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*", data in "[02-9ac-hj-np-z]{0,300}") {
        let _ = read(&text, Network::Regtest);
        let _ = read(&format!("lightning:{text}"), Network::Regtest);
        let _ = read(&format!("lnbcrt1{data}"), Network::Regtest);
    }

    #[test]
    fn no_change_of_a_letter_panics(at in 0usize..400, to in "[02-9ac-hj-np-z]") {
        let mut text = sign(raw());
        let at = at % text.len();
        text.replace_range(at..=at, &to);
        let _ = read(&text, Network::Regtest);
    }
}
