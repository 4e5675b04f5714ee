//! The secret that everything else is derived from: BIP39 words, and what comes of them.
//!
//! | what | BIP32 path from the BIP39 seed (no passphrase) |
//! |---|---|
//! | on-chain wallet | `m/84'/0'/0'` on mainnet, `m/84'/1'/0'` elsewhere (BIP84) |
//! | [`Seed::ldk_seed`] | `m/29552'/0'` |
//! | [`Seed::node_secret`] | `m/29552'/1'` |
//! | [`Seed::selection_seed`] | `m/29552'/2'` |
//!
//! 29552 is `sp` in ASCII; it names no coin or standard. The last three are the private key
//! bytes of hardened children, so none tells anything about another, and they are the same on
//! every network.

use std::fmt;

use bip39::{Language, Mnemonic};
use bitcoin::Network;
use bitcoin::bip32::{ChildNumber, DerivationPath, Xpriv, Xpub};
use bitcoin::secp256k1::Secp256k1;
use zeroize::Zeroizing;

/// BIP39 words and the 64 bytes that they stand for. Wiped when dropped, never shown.
pub struct Seed {
    words: Mnemonic,
    bytes: Zeroizing<[u8; 64]>,
}

/// Why words are no seed. The words themselves are never repeated in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// Not 12, 15, 18, 21 or 24 words.
    #[error("a seed has 12, 15, 18, 21 or 24 words, not {0}: check that none is missing")]
    WordCount(usize),
    /// A word that the list does not have; the first has number 1.
    #[error("word {0} is not in the English BIP39 list: check its spelling")]
    UnknownWord(usize),
    /// All words are in the list, but they do not fit together.
    #[error("the words do not fit together: check their order, and each against your copy")]
    Checksum,
}

impl Seed {
    /// 24 words that stand for this entropy, which must be random.
    pub fn generate(entropy: [u8; 32]) -> Seed {
        let entropy = Zeroizing::new(entropy);
        let words = Mnemonic::from_entropy(entropy.as_slice()).expect("BIP39 has words for 32 bytes");
        Seed::from_mnemonic(words)
    }

    /// Reads 12 to 24 English words, in either case and with any white space between them.
    ///
    /// # Errors
    /// One line that says which word is wrong.
    pub fn parse(words: &str) -> Result<Seed, SeedError> {
        let words = Zeroizing::new(words.to_lowercase());
        let list = Zeroizing::new(words.split_whitespace().collect::<Vec<_>>().join(" "));
        Mnemonic::parse_in_normalized(Language::English, &list).map(Seed::from_mnemonic).map_err(|error| {
            match error {
                bip39::Error::BadWordCount(_) => SeedError::WordCount(words.split_whitespace().count()),
                bip39::Error::UnknownWord(index) => SeedError::UnknownWord(index + 1),
                _ => SeedError::Checksum,
            }
        })
    }

    fn from_mnemonic(words: Mnemonic) -> Seed {
        let bytes = Zeroizing::new(words.to_seed_normalized(""));
        Seed { words, bytes }
    }

    /// The words, separated by single spaces: all that a person has to keep.
    pub fn words(&self) -> Zeroizing<String> {
        Zeroizing::new(self.words.words().collect::<Vec<_>>().join(" "))
    }

    /// What LDK's `KeysManager` starts from: the node's identity and its channels' keys.
    pub fn ldk_seed(&self) -> [u8; 32] {
        self.own_secret(0)
    }

    /// The key of the HMACs that make preimages and attempt ids of payment ids.
    pub fn node_secret(&self) -> [u8; 32] {
        self.own_secret(1)
    }

    /// Where the on-chain wallet's choice among its coins takes its randomness from.
    pub fn selection_seed(&self) -> [u8; 32] {
        self.own_secret(2)
    }

    /// The wallet's public output descriptors: for addresses that are given to others, and for
    /// change.
    pub fn descriptors(&self, network: Network) -> (String, String) {
        let secp = Secp256k1::signing_only();
        let xpub = Xpub::from_priv(&secp, &self.account_key(network));
        let fingerprint = self.master(network).fingerprint(&secp);
        let coin = coin_type(network);
        let keychain = |number| format!("wpkh([{fingerprint}/84'/{coin}'/0']{xpub}/{number}/*)");
        (keychain(0), keychain(1))
    }

    /// The private key of the wallet's account; its children `0/*` and `1/*` sign for the two
    /// [`Seed::descriptors`].
    pub(crate) fn account_key(&self, network: Network) -> Xpriv {
        self.derive(network, &[84, coin_type(network), 0])
    }

    fn own_secret(&self, number: u32) -> [u8; 32] {
        self.derive(Network::Bitcoin, &[29552, number]).private_key.secret_bytes()
    }

    fn derive(&self, network: Network, hardened: &[u32]) -> Xpriv {
        let path: DerivationPath = hardened
            .iter()
            .map(|index| ChildNumber::from_hardened_idx(*index).expect("these indices are below 2^31"))
            .collect();
        let secp = Secp256k1::signing_only();
        self.master(network).derive_priv(&secp, &path).expect("a bad child key has probability 2^-127")
    }

    fn master(&self, network: Network) -> Xpriv {
        Xpriv::new_master(network, self.bytes.as_slice()).expect("a bad master key has probability 2^-127")
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// BIP44's coin type: 0 where coins have a price, 1 on all test networks.
fn coin_type(network: Network) -> u32 {
    if network == Network::Bitcoin { 0 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hex::DisplayHex;
    use proptest::prelude::*;

    /// The test vector of BIP84, and the first one of BIP39.
    const ABOUT: &str = "abandon abandon abandon abandon abandon abandon \
                         abandon abandon abandon abandon abandon about";

    #[test]
    fn bip39_vectors() {
        // English vectors of BIP39, without the passphrase "TREZOR": entropy and words.
        let zero = Seed::generate([0; 32]);
        assert_eq!(*zero.words(), format!("{}art", "abandon ".repeat(23)));
        let ones = Seed::generate([0xff; 32]);
        assert_eq!(*ones.words(), format!("{}vote", "zoo ".repeat(23)));
        let about = Seed::parse(ABOUT).unwrap();
        assert_eq!(
            about.bytes.as_hex().to_string(),
            "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1\
             9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4"
        );
    }

    #[test]
    fn bip84_account() {
        let seed = Seed::parse(ABOUT).unwrap();
        let (external, internal) = seed.descriptors(Network::Bitcoin);
        // The account of BIP84's vector, as an xpub instead of a zpub.
        let xpub = "xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V";
        assert_eq!(external, format!("wpkh([73c5da0a/84'/0'/0']{xpub}/0/*)"));
        assert_eq!(internal, format!("wpkh([73c5da0a/84'/0'/0']{xpub}/1/*)"));
        let (testnet, _) = seed.descriptors(Network::Signet);
        assert!(testnet.starts_with("wpkh([73c5da0a/84'/1'/0']tpub"), "{testnet}");
    }

    #[test]
    fn secrets_differ_and_stay() {
        let seed = Seed::parse(ABOUT).unwrap();
        let secrets = [seed.ldk_seed(), seed.node_secret(), seed.selection_seed()];
        assert_eq!(secrets, {
            let again = Seed::parse(&seed.words()).unwrap();
            [again.ldk_seed(), again.node_secret(), again.selection_seed()]
        });
        assert_ne!(secrets[0], secrets[1]);
        assert_ne!(secrets[1], secrets[2]);
        // Fixed for ever (and computed without this code): another value loses a node's identity.
        assert_eq!(secrets[0].as_hex().to_string(), LDK_SEED_OF_ABOUT);
        assert_eq!(secrets[1].as_hex().to_string(), NODE_SECRET_OF_ABOUT);
    }

    const LDK_SEED_OF_ABOUT: &str = "43a544f38f5058f4a4ca639d346f4145cb02830ac7f0a0d1fee564ed1daa846f";
    const NODE_SECRET_OF_ABOUT: &str = "5e05f4e74581d4a44fd68034dced4c1ce57b5bdb0c78aa2317feb9f831a0c5e3";

    #[test]
    fn errors_say_which_word() {
        let error = |words: &str| Seed::parse(words).unwrap_err();
        assert_eq!(error("abandon about"), SeedError::WordCount(2));
        assert_eq!(error(""), SeedError::WordCount(0));
        assert_eq!(error(&ABOUT.replacen("about", "abouu", 1)), SeedError::UnknownWord(12));
        assert_eq!(error(&ABOUT.replace("about", "abandon")), SeedError::Checksum);
        assert!(!error(&ABOUT.replace("about", "abouu")).to_string().contains("abouu"));
    }

    #[test]
    fn case_and_space_do_not_matter() {
        let shouted = format!("\n  {}\t", ABOUT.to_uppercase().replace(' ', "\r\n "));
        assert_eq!(Seed::parse(&shouted).unwrap().ldk_seed(), Seed::parse(ABOUT).unwrap().ldk_seed());
    }

    #[test]
    fn a_seed_does_not_show() {
        assert_eq!(format!("{:?}", Seed::generate([1; 32])), "Seed(..)");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn words_round_trip(entropy: [u8; 32]) {
            let seed = Seed::generate(entropy);
            prop_assert_eq!(seed.words().split(' ').count(), 24);
            prop_assert_eq!(Seed::parse(&seed.words()).unwrap().ldk_seed(), seed.ldk_seed());
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Seed::parse(&text);
        }
    }
}
