//! Offers that LDK's own builder makes, and some that it would not.

use super::*;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use lightning::offers::offer::OfferBuilder;
use proptest::prelude::*;
use sponte_proto::Timestamp;
use std::num::NonZeroU64;
use std::time::Duration;

fn key() -> PublicKey {
    PublicKey::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&[0x41; 32]).expect("a key"))
}

fn regtest(text: &str) -> Result<ReadOffer, Refusal> {
    read_offer(text, Network::Regtest).map(|(offer, _)| offer)
}

#[track_caller]
fn refused(text: &str, why: &str) {
    let message = regtest(text).expect_err(why).message;
    assert!(message.contains(why) && message.contains(": "), "{message}");
}

/// `type ‖ length ‖ value` for each, all below 253.
fn text_of(records: &[(u8, &[u8])]) -> String {
    const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let bytes = records.iter().flat_map(|(kind, value)| {
        [*kind, u8::try_from(value.len()).expect("short")].into_iter().chain(value.iter().copied())
    });
    let bits = bytes.flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect::<Vec<_>>();
    let fives = bits.chunks(5).map(|five| (0..5).fold(0, |sum, at| sum << 1 | five.get(at).unwrap_or(&0)));
    "lno1".chars().chain(fives.map(|five| char::from(LETTERS[usize::from(five)]))).collect()
}

fn records<'a>(key: &'a [u8; 33], chain: &'a [u8]) -> Vec<(u8, &'a [u8])> {
    vec![(2, chain), (10, b"soup"), (22, key)]
}

#[test]
fn what_an_offer_says() {
    let made = OfferBuilder::new(key())
        .chain(Network::Regtest)
        .amount_msats(5_000)
        .description("soup".into())
        .supported_quantity(Quantity::Bounded(NonZeroU64::new(3).expect("three")))
        .absolute_expiry(Duration::from_secs(1_800_000_000))
        .build()
        .expect("all that an offer needs")
        .to_string();
    let read = regtest(&made.to_uppercase()).expect("sound");
    let expected = ReadOffer {
        text: made,
        issuer: node_id(&key()),
        amount: Msat::new(5_000),
        quantities: Quantities::UpTo(3),
        expires_at: Some(Timestamp::from_millis(1_800_000_000_000)),
        description: "soup".into(),
    };
    assert_eq!(read, expected);
    let bare = OfferBuilder::new(key()).chain(Network::Regtest).build().expect("it may say nothing");
    let read = regtest(&bare.to_string()).expect("sound");
    assert_eq!((read.amount, read.quantities, read.expires_at), (None, Quantities::One, None));
    assert_eq!(read.description, "");
}

#[test]
fn an_offer_may_be_folded() {
    let made = OfferBuilder::new(key()).chain(Network::Regtest).build().expect("sound").to_string();
    let folded = format!("{}+\n  {}", &made[..20], &made[20..]);
    assert_eq!(regtest(&folded).expect("sound").text, made);
}

#[test]
fn what_this_node_cannot_pay_is_refused() {
    let (key, chain) = (key().serialize(), ChainHash::using_genesis_block(Network::Regtest).to_bytes());
    let with = |kind, value: &[u8]| {
        let mut records = records(&key, &chain);
        records.push((kind, value));
        records.sort_by_key(|(kind, _)| *kind);
        text_of(&records)
    };
    assert!(regtest(&text_of(&records(&key, &chain))).is_ok(), "nothing is wrong with it by itself");
    refused("lno1qqq", "this is no offer");
    refused(&format!("lno1{}", "q".repeat(40_000)), "longer than any");
    let mainnet = OfferBuilder::new(PublicKey::from_slice(&key).expect("a point")).build().expect("sound");
    refused(&mainnet.to_string(), "of mainnet, this node of regtest");
    refused(&text_of(&records(&key, &[7; 32])), "of another chain");
    refused(&with(12, &[0x40]), "features which this node does not know");
    refused(&with(8, &[0xff; 8]), "this is no offer");
    let mut foreign = records(&key, &chain);
    foreign.splice(1..1, [(6, &b"EUR"[..]), (8, &[5][..])]);
    refused(&text_of(&foreign), "is in EUR");
    refused(&with(40, &[1]), "this is no offer");
}

#[test]
fn an_offer_is_told_from_an_invoice() {
    assert!(is_offer("lno1abc") && is_offer("LNO1ABC"));
    assert!(!is_offer("lnbc1") && !is_offer("lno") && !is_offer("") && !is_offer("ü1ü1"));
}

proptest! {
    #[test]
    fn no_text_panics(text in "lno1[a-z0-9+ ]{0,200}", any in ".{0,40}") {
        let _ = regtest(&text);
        let _ = regtest(&any);
        is_offer(&any);
    }
}
