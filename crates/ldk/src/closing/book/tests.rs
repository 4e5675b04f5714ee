use super::*;
use proptest::prelude::*;

fn any_closing() -> impl Strategy<Value = Closing> {
    let txid = || any::<[u8; 32]>().prop_map(Txid::from_bytes);
    let peer = (2u8..=3, any::<[u8; 32]>()).prop_map(|(sign, x)| {
        let mut bytes = [sign; 33];
        bytes[1..].copy_from_slice(&x);
        NodeId::from_bytes(bytes).expect("02 or 03")
    });
    let value = (0..=Sat::MAX.to_sat()).prop_map(|sat| Sat::new(sat).expect("in supply"));
    let funding = prop::option::of((txid(), any::<u32>()));
    let reason = prop::collection::vec(any::<char>(), 0..20);
    let reason = reason.prop_map(|chars| chars.into_iter().collect::<String>());
    let txids = prop::collection::vec(txid(), 0..4);
    (prop::option::of(peer), value, funding, reason, any::<u32>(), txids).prop_map(
        |(peer, value, funding, reason, height, txids)| Closing {
            peer,
            value,
            funding,
            reason,
            height,
            txids,
        },
    )
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "0[23][0-9a-f]{62}([0-9a-f]{2})?|.*".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Value::Array))
}

proptest! {
    #[test]
    fn closings_round_trip_and_are_read_whole_or_not_at_all(
        closing in any_closing(),
        cut in any::<prop::sample::Index>(),
        tip: u32,
    ) {
        let bytes = closing.encode();
        prop_assert_eq!(Closing::decode(&bytes, tip), Some(closing));
        prop_assert_eq!(Closing::decode(&bytes[..cut.index(bytes.len())], tip), None);
    }

    #[test]
    fn a_strange_field_is_refused_or_makes_sense(
        closing in any_closing(),
        field in prop::sample::select(vec!["peer", "value_sat", "funding", "reason", "height", "txids"]),
        strange in any_json(),
        tip: u32,
    ) {
        let mut value: Value = serde_json::from_slice(&closing.encode()).unwrap();
        value[field] = strange;
        if let Some(read) = Closing::decode(value.to_string().as_bytes(), tip) {
            // A height that was missing is there from now on, whatever the tip.
            prop_assert_eq!(Closing::decode(&read.encode(), !tip), Some(read));
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, json in any_json(), tip: u32) {
        let _ = Closing::decode(&bytes, tip);
        let _ = Closing::decode(json.to_string().as_bytes(), tip);
    }
}

#[test]
fn a_closing_survives_its_encoding() {
    let closing = Closing {
        peer: format!("02{}", "ab".repeat(32)).parse().ok(),
        value: Sat::new(5).expect("small"),
        funding: Some((Txid::from_bytes([3; 32]), 7)),
        reason: "closed \"cooperatively\"".into(),
        height: 9,
        txids: vec![Txid::from_bytes([4; 32])],
    };
    assert_eq!(Closing::decode(&closing.encode(), 5), Some(closing.clone()));
    let bare = Closing { peer: None, funding: None, ..closing };
    assert_eq!(Closing::decode(&bare.encode(), 5), Some(bare));
}

#[test]
fn only_a_missing_height_is_made_up() {
    let id = ChannelId::from_bytes([7; 32]).to_string();
    let load = |key: &str, bytes: &str| ClosingBook::load(&[(key.into(), bytes.into())], 5);
    let old = r#"{"value_sat":1,"reason":"","txids":[]}"#;
    let book = load(&id, old).unwrap();
    assert!(book.0.values().all(|closing| closing.height == 5) && book.0.len() == 1);
    let damaged = [
        "{}",
        "\u{ff}",
        r#"{"value_sat":1,"reason":"","txids":["x"]}"#,
        r#"{"value_sat":1,"reason":"","txids":[],"height":"9"}"#,
        r#"{"value_sat":1,"reason":"","txids":[],"peer":"x"}"#,
        r#"{"value_sat":1,"reason":"","txids":[],"funding":[]}"#,
    ];
    for bytes in damaged {
        assert_eq!(load(&id, bytes).err(), Some(id.clone()), "{bytes}");
    }
    assert_eq!(load("x", old).err(), Some("x".into()));
}
