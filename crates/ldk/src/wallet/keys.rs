//! The wallet's private keys: they sign P2WPKH inputs, and nothing else.

use bdk_wallet::KeychainKind;
use bitcoin::bip32::{ChildNumber, Xpriv};
use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::secp256k1::rand::SeedableRng;
use bitcoin::secp256k1::rand::rngs::StdRng;
use bitcoin::secp256k1::{All, Message, Secp256k1};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{Network, Transaction, TxOut, Witness, ecdsa};
use zeroize::Zeroize;

use crate::seed::Seed;

pub(super) struct Keys {
    account: Xpriv,
    selection_seed: [u8; 32],
    secp: Secp256k1<All>,
}

/// An input that is ours: its place in the transaction, its coin, and the coin's key.
pub(super) struct OwnInput {
    pub(super) at: usize,
    pub(super) coin: TxOut,
    pub(super) key: (KeychainKind, u32),
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.account.private_key.non_secure_erase();
        self.selection_seed.zeroize();
    }
}

impl Keys {
    pub(super) fn new(seed: &Seed, network: Network) -> Keys {
        Keys {
            account: seed.account_key(network),
            selection_seed: seed.selection_seed(),
            secp: Secp256k1::new(),
        }
    }

    /// Signs these inputs; the others keep their witnesses. The witness of an input is no part
    /// of what another one signs, so the order in which owners sign does not matter.
    pub(super) fn sign(&self, tx: &mut Transaction, inputs: &[OwnInput]) {
        for OwnInput { at, coin, key } in inputs {
            let private_key = self.private_key(*key);
            let sighash = SighashCache::new(&*tx)
                .p2wpkh_signature_hash(*at, &coin.script_pubkey, coin.value, EcdsaSighashType::All)
                .expect("the input exists, and our descriptors make P2WPKH scripts only");
            let message = Message::from(sighash);
            let signature = self.secp.sign_ecdsa_low_r(&message, &private_key);
            let signature = ecdsa::Signature { signature, sighash_type: EcdsaSighashType::All };
            tx.input[*at].witness = Witness::p2wpkh(&signature, &private_key.public_key(&self.secp));
        }
    }

    /// Randomness for one transaction, different for each place in the order of observations.
    pub(super) fn randomness(&self, clock: u64) -> StdRng {
        let mut engine = sha256::Hash::engine();
        engine.input(&self.selection_seed);
        engine.input(&clock.to_be_bytes());
        StdRng::from_seed(sha256::Hash::from_engine(engine).to_byte_array())
    }

    fn private_key(&self, (keychain, index): (KeychainKind, u32)) -> bitcoin::secp256k1::SecretKey {
        let keychain = u32::from(keychain == KeychainKind::Internal);
        let path = [keychain, index]
            .map(|child| ChildNumber::from_normal_idx(child).expect("BDK derives indices below 2^31 only"));
        let child = self.account.derive_priv(&self.secp, &path);
        child.expect("a bad child key has probability 2^-127").private_key
    }
}
