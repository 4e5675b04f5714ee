use super::*;
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use proptest::prelude::*;

fn htlc(hash: u8) -> Htlc {
    Htlc {
        kind: Kind::Amp,
        hash: PaymentHash::from_bytes([hash; 32]),
        shared_secret: SharedSecret::from_bytes([8; 32]),
        code: None,
    }
}

fn key(channel: u8, id: u64) -> Key {
    (ChannelId([channel; 32]), id)
}

fn peer(n: u8) -> PublicKey {
    let secret = SecretKey::from_slice(&[n; 32]).expect("a valid scalar");
    PublicKey::from_secret_key(&Secp256k1::new(), &secret)
}

fn listed(channels: &[u8], htlcs: &[Key]) -> Listed {
    Listed {
        channels: channels.iter().map(|n| (ChannelId([*n; 32]), peer(1))).collect(),
        htlcs: htlcs.iter().copied().collect(),
    }
}

/// What lies on the disk after these batches.
fn stored(batches: &[KvBatch]) -> Vec<(String, Vec<u8>)> {
    let mut rows = BTreeMap::new();
    for entry in batches.iter().flat_map(|batch| &batch.entries) {
        match &entry.value {
            Some(value) => rows.insert(entry.key.clone(), value.clone()),
            None => rows.remove(&entry.key),
        };
    }
    rows.into_iter().collect()
}

fn written(htlcs: &Htlcs) -> KvBatch {
    let mut batch = KvBatch::default();
    htlcs.write(&mut batch);
    batch
}

/// These bytes lie in the databases of running nodes.
#[test]
fn the_format_never_changes() {
    let code = Some(FailureCode::MPP_TIMEOUT);
    let kinds = [Kind::Amp, Kind::Ecdh(Version::Ecdh0), Kind::Ecdh(Version::Ecdh1)];
    for (number, kind) in (1..).zip(kinds) {
        let htlc = Htlc { kind, code, ..htlc(7) };
        assert_eq!(htlc.encode(), [&[1, number][..], &[7; 32], &[8; 32], &[0, 23]].concat());
        assert_eq!(Htlc::decode(&htlc.encode()), Some(htlc));
    }
    let end = htlc(7).encode().split_off(66);
    assert_eq!(end, [0, 0]);
    assert_eq!(write_key(&key(0xab, 12)), format!("{}/00000000000000000012", "ab".repeat(32)));
}

#[test]
fn rows_come_back_as_they_were_written() {
    let htlcs = Htlcs::default();
    let rows = [(key(1, 0), htlc(1)), (key(1, 1), htlc(1)), (key(2, 0), htlc(2))];
    rows.iter().for_each(|(key, htlc)| htlcs.note(*key, Some(htlc.clone())));
    let first = written(&htlcs);
    assert_eq!(written(&htlcs), KvBatch::default(), "written once");
    htlcs.fail_with(&htlc(1).hash, FailureCode::MPP_TIMEOUT);
    let again = Htlcs::load(&stored(&[first, written(&htlcs)])).expect("sound");
    for htlcs in [&htlcs, &again] {
        let failure = Some((htlc(1).shared_secret, FailureCode::MPP_TIMEOUT));
        assert_eq!([htlcs.failure(&key(1, 0)), htlcs.failure(&key(1, 1))], [failure.clone(), failure]);
        assert_eq!(htlcs.failure(&key(2, 0)), None, "LDK's own answer");
        assert_eq!(htlcs.kind(&htlc(2).hash, &[ChannelId([2; 32])]), Some(Kind::Amp));
        assert_eq!(htlcs.kind(&htlc(2).hash, &[ChannelId([1; 32])]), None, "not in that channel");
    }
    assert!(Htlcs::load(&[("x/1".into(), htlc(1).encode())]).is_err());
    assert!(Htlcs::load(&[(write_key(&key(1, 0)), vec![2; 68])]).is_err());
}

#[test]
fn a_number_that_is_announced_anew_means_the_new_htlc() {
    let htlcs = Htlcs::default();
    htlcs.note(key(1, 0), Some(htlc(1)));
    let first = written(&htlcs);
    // The same HTLC again, then another one, then one that is not translated.
    htlcs.note(key(1, 0), Some(htlc(1)));
    htlcs.note(key(1, 0), Some(htlc(2)));
    assert_eq!(htlcs.kind(&htlc(1).hash, &[ChannelId([1; 32])]), None);
    let second = written(&htlcs);
    assert_eq!(stored(&[first.clone(), second.clone()])[0].1, htlc(2).encode());
    htlcs.note(key(1, 0), None);
    assert!(htlcs.is_empty() && stored(&[first, second, written(&htlcs)]).is_empty());
    htlcs.note(key(1, 1), None);
    assert_eq!(written(&htlcs), KvBatch::default(), "nothing is written of what is not ours");
}

#[test]
fn a_row_stays_until_its_htlc_is_gone() {
    let htlcs = Htlcs::default();
    let keys = [key(1, 0), key(1, 1), key(2, 0)];
    keys.iter().for_each(|key| htlcs.note(*key, Some(htlc(1))));
    let all = written(&htlcs);
    // LDK does not list an HTLC before it is in a commitment.
    assert!(!htlcs.forget_gone(|| listed(&[1, 2], &[])));
    htlcs.committed(ChannelId([1; 32]));
    assert!(htlcs.forget_gone(|| listed(&[1, 2], &[key(1, 1)])));
    assert!(!htlcs.forget_gone(|| listed(&[1, 2], &[key(1, 1)])));
    let left = Htlcs::load(&stored(&[all.clone(), written(&htlcs)])).expect("sound");
    assert_eq!(left.table().rows.keys().copied().collect::<Vec<_>>(), [key(1, 1), key(2, 0)]);
    // After a start every HTLC that LDK has is a committed one.
    assert!(left.forget_gone(|| listed(&[1, 2], &[key(1, 1)])));
    // The channels are closed.
    assert!(htlcs.forget_gone(|| listed(&[], &[])));
    assert!(htlcs.is_empty() && htlcs.table().by_hash.is_empty());
}

#[test]
fn what_comes_while_ldk_is_asked_stays() {
    let htlcs = Htlcs::default();
    htlcs.note(key(1, 0), Some(htlc(1)));
    htlcs.committed(ChannelId([1; 32]));
    let meanwhile = || {
        htlcs.note(key(1, 0), Some(htlc(2)));
        htlcs.note(key(1, 1), Some(htlc(3)));
        listed(&[1], &[])
    };
    assert!(!htlcs.forget_gone(meanwhile));
    assert_eq!(htlcs.table().rows.len(), 2);
}

#[test]
fn a_channel_is_its_peers_alone() {
    let htlcs = Htlcs::default();
    let channel = ChannelId([1; 32]);
    assert!(!htlcs.is_channel(channel, &peer(1)));
    htlcs.channel_ready(channel, peer(1));
    assert!(htlcs.is_channel(channel, &peer(1)) && !htlcs.is_channel(channel, &peer(2)));
    htlcs.forget_gone(Listed::default);
    assert!(!htlcs.is_channel(channel, &peer(1)));
}

proptest! {
    #[test]
    fn any_row_that_is_read_is_written_the_same(mut bytes in prop::collection::vec(any::<u8>(), 66..70), kind in 0..5u8) {
        (bytes[0], bytes[1]) = (1, kind);
        if let Some(htlc) = Htlc::decode(&bytes) {
            prop_assert_eq!(htlc.encode(), bytes);
        }
    }
}
