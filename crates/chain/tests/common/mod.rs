//! A chain, a key, and transactions of every kind for the tests of the rules.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::borrow::Borrow;

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::key::{CompressedPublicKey, Keypair, TapTweak};
use bitcoin::secp256k1::{All, Message, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, Block, KnownHrp, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, Wtxid,
};
use sponte_chain::{BlockRejected, Policy, Regtest, TxRejected, UnixTime};

/// When the tests begin.
pub const START: UnixTime = UnixTime::from_secs(1_800_000_000);

/// A coin and where it is.
pub type Spendable = (OutPoint, TxOut);

pub struct Bench {
    pub regtest: Regtest,
    pub now: UnixTime,
    secp: Secp256k1<All>,
    keys: Keypair,
}

impl Bench {
    pub fn new() -> Self {
        let secp = Secp256k1::new();
        let secret = SecretKey::from_slice(&[7; 32]).expect("a valid key");
        Self {
            regtest: Regtest::new(Policy::default(), 120, START).expect("a premine"),
            now: START,
            keys: Keypair::from_secret_key(&secp, &secret),
            secp,
        }
    }

    pub fn wpkh(&self) -> ScriptBuf {
        let public = CompressedPublicKey(self.keys.public_key());
        bitcoin::Address::p2wpkh(&public, KnownHrp::Regtest).script_pubkey()
    }

    pub fn taproot(&self) -> ScriptBuf {
        ScriptBuf::new_p2tr(&self.secp, self.keys.x_only_public_key().0, None)
    }

    /// A confirmed coin with this script.
    pub fn fund(&mut self, script: ScriptBuf, amount_sat: u64) -> Spendable {
        let coin = self.fund_unconfirmed(script, amount_sat);
        self.mine(1);
        coin
    }

    pub fn fund_unconfirmed(&mut self, script: ScriptBuf, amount_sat: u64) -> Spendable {
        let output = TxOut { value: Amount::from_sat(amount_sat), script_pubkey: script };
        let sent = self.regtest.send(output.script_pubkey.clone(), output.value, None, self.now);
        (OutPoint { txid: sent.expect("the faucet has money"), vout: 0 }, output)
    }

    pub fn mine(&mut self, count: u32) {
        self.regtest.mine_to_faucet(count, self.now).expect("blocks are mined");
    }

    pub fn accept(&mut self, tx: &Transaction) -> Result<Txid, TxRejected> {
        self.regtest.chain_mut().accept_transaction(tx.clone(), self.now)
    }

    /// The words in which the mempool refuses.
    pub fn refusal(&mut self, tx: &Transaction) -> String {
        self.accept(tx).expect_err("the transaction is refused").to_string()
    }

    pub fn is_waiting(&self, tx: &Transaction) -> bool {
        self.regtest.chain().mempool_entry(&tx.compute_txid()).is_some()
    }

    /// A signed transaction that pays all but the fee back to the same key.
    pub fn spend(&self, coins: &[impl Borrow<Spendable>], fee_sat: u64) -> Transaction {
        let mut tx = self.unsigned(coins, fee_sat);
        self.sign(&mut tx, coins);
        tx
    }

    pub fn unsigned(&self, coins: &[impl Borrow<Spendable>], fee_sat: u64) -> Transaction {
        let value: Amount = coins.iter().map(|coin| coin.borrow().1.value).sum();
        let input = coins.iter().map(|coin| TxIn {
            previous_output: coin.borrow().0,
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            ..TxIn::default()
        });
        Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: input.collect(),
            output: vec![TxOut { value: value - Amount::from_sat(fee_sat), script_pubkey: self.wpkh() }],
        }
    }

    pub fn sign(&self, tx: &mut Transaction, coins: &[impl Borrow<Spendable>]) {
        let outputs: Vec<TxOut> = coins.iter().map(|coin| coin.borrow().1.clone()).collect();
        for (index, output) in outputs.iter().enumerate() {
            let witness = if output.script_pubkey.is_p2tr() {
                self.taproot_witness(tx, index, &outputs)
            } else {
                self.wpkh_witness(tx, index, output)
            };
            tx.input[index].witness = witness;
        }
    }

    fn wpkh_witness(&self, tx: &Transaction, index: usize, output: &TxOut) -> Witness {
        let hash = SighashCache::new(tx)
            .p2wpkh_signature_hash(index, &output.script_pubkey, output.value, EcdsaSighashType::All)
            .expect("a P2WPKH coin");
        let signature = self.secp.sign_ecdsa(&Message::from_digest(*hash.as_ref()), &self.keys.secret_key());
        Witness::p2wpkh(&bitcoin::ecdsa::Signature::sighash_all(signature), &self.keys.public_key())
    }

    fn taproot_witness(&self, tx: &Transaction, index: usize, outputs: &[TxOut]) -> Witness {
        let hash = SighashCache::new(tx)
            .taproot_key_spend_signature_hash(index, &Prevouts::All(outputs), TapSighashType::Default)
            .expect("a P2TR coin");
        let tweaked = self.keys.tap_tweak(&self.secp, None).to_keypair();
        let signature = self.secp.sign_schnorr_no_aux_rand(&Message::from_digest(*hash.as_ref()), &tweaked);
        let sighash_type = TapSighashType::Default;
        Witness::p2tr_key_spend(&bitcoin::taproot::Signature { signature, sighash_type })
    }

    /// A solved block on the tip with exactly these transactions, valid or not.
    pub fn block_with(&mut self, transactions: Vec<Transaction>) -> Block {
        let now = self.now;
        let script = self.wpkh();
        let mut block = self.regtest.chain_mut().assemble_block(&script, now);
        block.txdata.truncate(1);
        let subsidy = sponte_chain::block_subsidy(self.regtest.chain().height() + 1);
        block.txdata[0].output[0].value = subsidy;
        block.txdata.extend(transactions);
        seal(&mut block);
        block
    }

    /// The words in which a block is refused.
    pub fn block_refusal(&mut self, block: Block) -> String {
        self.submit(block).expect_err("the block is refused").to_string()
    }

    pub fn submit(&mut self, block: Block) -> Result<bitcoin::BlockHash, BlockRejected> {
        self.regtest.chain_mut().submit_block(block, self.now)
    }
}

/// Makes commitment, merkle root and proof of work right again after a change of a block.
pub fn seal(block: &mut Block) {
    let leaves = std::iter::once(Wtxid::all_zeros())
        .chain(block.txdata[1..].iter().map(Transaction::compute_wtxid))
        .map(|wtxid| wtxid.to_raw_hash());
    let root = bitcoin::merkle_tree::calculate_root(leaves).expect("leaves");
    let root = bitcoin::WitnessMerkleNode::from_raw_hash(root);
    let commitment = Block::compute_witness_commitment(&root, &[0; 32]);
    let mut payload = [0; 36];
    payload[..4].copy_from_slice(&[0xaa, 0x21, 0xa9, 0xed]);
    payload[4..].copy_from_slice(commitment.as_byte_array());
    block.txdata[0].output[1].script_pubkey = ScriptBuf::new_op_return(payload);
    solve(block);
}

/// Makes merkle root and proof of work right, but leaves the commitment as it is.
pub fn solve(block: &mut Block) {
    block.header.merkle_root = block.compute_merkle_root().expect("transactions");
    let target = block.header.target();
    while block.header.validate_pow(target).is_err() {
        block.header.nonce += 1;
    }
}
