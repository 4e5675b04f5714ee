use super::*;
use bitcoin::secp256k1::{PublicKey, Secp256k1};
use lightning::bolt11_invoice::SignedRawBolt11Invoice;
use lightning::sign::KeysManager;
use sponte_proto::{Features, Msat, Timestamp};
use std::str::FromStr as _;

const CREATED_S: u64 = 1_700_000_000;
const DAY_S: u64 = 86_400;

pub(crate) fn request(amount: Option<u64>, description: &str) -> InvoiceTerms {
    let created_at = Timestamp::from_millis(CREATED_S * 1_000 + 500);
    InvoiceTerms {
        amount: amount.map(|msat| Msat::new(msat).expect("in supply")),
        description: description.into(),
        created_at,
        expires_at: created_at.plus_millis(DAY_S * 1_000),
    }
}

fn signer() -> KeysManager {
    KeysManager::new(&[1; 32], 1, 1, true)
}

/// What a payer reads.
pub(crate) struct Said {
    pub(crate) raw: RawBolt11Invoice,
    pub(crate) features: Features,
}

pub(crate) fn signed(request: &InvoiceTerms, lock: Lock, add: impl Fn(&mut Bolt11InvoiceFeatures)) -> Said {
    let raw = raw(request, Currency::Regtest, lock, vec![], add).expect("a sound request");
    let signature = signer().sign_invoice(&raw, Recipient::Node);
    let text = raw.sign(|_| signature).expect("it signs").to_string();
    assert!(text.starts_with("lnbcrt"));
    let read = SignedRawBolt11Invoice::from_str(&text).expect("BOLT 11");
    let node = PublicKey::from_secret_key(&Secp256k1::new(), &signer().get_node_secret_key());
    assert_eq!(read.recover_payee_pub_key().expect("signed").0, node);
    let raw = read.raw_invoice().clone();
    let flags = raw.features().map(Bolt11InvoiceFeatures::le_flags).expect("features");
    let big_endian: Vec<u8> = flags.iter().rev().copied().collect();
    let features = Features::decode(&big_endian).expect("small");
    Said { raw, features }
}

impl Said {
    pub(crate) fn assert_asks(&self, amount: Option<u64>, description: &str) {
        let raw = &self.raw;
        assert_eq!(raw.amount_pico_btc(), amount.map(|msat| msat * 10));
        assert_eq!(raw.expiry_time().map(|expiry| expiry.as_seconds()), Some(DAY_S));
        assert_eq!(raw.data.timestamp.as_unix_timestamp(), CREATED_S);
        assert_eq!(raw.min_final_cltv_expiry_delta().expect("a delta").0, FINAL_CLTV_DELTA);
        assert_eq!(raw.description().expect("there is one").to_string(), description);
        assert!(raw.payment_metadata().is_none());
    }
}

fn locked(request: &InvoiceTerms, tip_s: u64) -> Lock {
    let signer = signer();
    lock(&signer.get_expanded_key(), &signer, request, tip_s).expect("in supply")
}

#[test]
fn an_invoice_says_what_every_payer_reads() {
    for amount in [None, Some(1_000_000), Some(1)] {
        let request = request(amount, "soup");
        let lock = locked(&request, 0);
        let (hash, secret) = (lock.hash, lock.secret);
        let said = signed(&request, lock, Bolt11InvoiceFeatures::set_basic_mpp_optional);
        assert_eq!(said.features.iter().collect::<Vec<_>>(), [8, 14, 17]);
        assert_eq!(said.raw.payment_hash().expect("one").0, hash.0);
        assert_eq!(said.raw.payment_secret(), Some(&secret));
        said.assert_asks(amount, "soup");
    }
}

/// What a secret says, by the stream that hides it: amount and expiry, as LDK reads them back.
fn hidden(secret: &LdkSecret) -> (u64, u64) {
    struct Same([u8; 32]);
    impl EntropySource for Same {
        fn get_secure_random_bytes(&self) -> [u8; 32] {
            self.0
        }
    }
    let known =
        inbound_payment::create(&signer().get_expanded_key(), None, 0, &Same(secret.0), 0, None, None);
    let (_, known, _) = known.expect("in supply");
    let stream = |at: usize| u64::from_be_bytes(known.0[at..at + 8].try_into().expect("8 bytes"));
    let told = |at: usize| u64::from_be_bytes(secret.0[at..at + 8].try_into().expect("8 bytes"));
    (told(16) ^ stream(16), told(24) ^ stream(24) ^ 7_200)
}

#[test]
fn ldk_learns_amount_and_expiry_from_the_secret() {
    const GRACE_S: u64 = 7_200;
    for (amount, said) in [(None, 0), (Some(123_456), 123_456)] {
        // Whatever is later, the clock or the tip; a second that has begun counts.
        for (tip_s, from) in [(CREATED_S - 5_000, CREATED_S), (CREATED_S + 5_000, CREATED_S + 5_000)] {
            let lock = locked(&request(amount, ""), tip_s);
            assert_eq!(hidden(&lock.secret), (said, from + DAY_S + 1 + GRACE_S));
        }
    }
}

#[test]
fn each_invoice_has_a_hash_of_its_own() {
    let request = request(Some(1_000), "soup");
    let signer = signer();
    let keys = signer.get_expanded_key();
    let mut hashes: Vec<_> =
        (0..8).map(|_| lock(&keys, &signer, &request, 0).expect("in supply").hash).collect();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 8);
}

#[test]
fn a_long_description_is_refused() {
    let long = request(None, &"x".repeat(640));
    let error = raw(&long, Currency::Regtest, locked(&long, 0), vec![], |_| {});
    let refused = refusal(&error.expect_err("too long"));
    assert_eq!(refused.kind, RefusalKind::Invalid);
    assert!(refused.message.contains("639"), "{refused}");
}
