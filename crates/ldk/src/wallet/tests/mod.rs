//! A wallet on a chain of blocks made by hand, with a disk that holds what was committed.

mod bumps;
mod deposits;
mod history;
mod journal;
mod spending;

use std::collections::BTreeMap;

use bdk_wallet::chain::CanonicalizationParams;
use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::{
    Address, Amount, Block, BlockHash, CompactTarget, FeeRate, Network, OutPoint, ScriptBuf, Sequence,
    Transaction, TxIn, TxMerkleNode, TxOut, Txid, Witness, transaction,
};
use lightning::chain::{BlockLocator, Listen};
use sponte_engine::backend::{WalletTx, WalletTxKind, WalletTxState};
use sponte_proto::{ChannelId, Sat};

use super::Wallet;
use crate::seed::Seed;

const WORDS: &str = "abandon abandon abandon abandon abandon abandon \
                     abandon abandon abandon abandon abandon about";

const NETWORK: Network = Network::Regtest;

fn seed() -> Seed {
    Seed::parse(WORDS).unwrap()
}

fn sats(sat: u64) -> Sat {
    Sat::new(sat).unwrap()
}

fn fee_rate(sat_per_vb: u32) -> FeeRate {
    FeeRate::from_sat_per_vb_u32(sat_per_vb)
}

fn channel(byte: u8) -> ChannelId {
    ChannelId::from_bytes([byte; 32])
}

/// A script that is none of the wallet's.
fn stranger() -> ScriptBuf {
    ScriptBuf::new_p2wsh(&bitcoin::WScriptHash::from_byte_array([7; 32]))
}

fn stranger_address() -> String {
    Address::from_script(&stranger(), NETWORK).unwrap().to_string()
}

fn script_of(address: &str) -> ScriptBuf {
    address.parse::<Address<_>>().unwrap().assume_checked().script_pubkey()
}

/// An outpoint of a transaction that nobody has.
fn strange_outpoint(number: u64) -> OutPoint {
    let mut bytes = [0xee; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    OutPoint::new(Txid::from_byte_array(bytes), 0)
}

fn tx(inputs: &[OutPoint], outputs: &[(ScriptBuf, u64)]) -> Transaction {
    let input = |previous_output: &OutPoint| TxIn {
        previous_output: *previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    };
    let output = |(script_pubkey, sat): &(ScriptBuf, u64)| TxOut {
        value: Amount::from_sat(*sat),
        script_pubkey: script_pubkey.clone(),
    };
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: inputs.iter().map(input).collect(),
        output: outputs.iter().map(output).collect(),
    }
}

/// Blocks from the genesis on, and a wallet that follows them.
struct Node {
    wallet: Wallet,
    disk: BTreeMap<String, Vec<u8>>,
    /// What the books hold: every transaction that is seen or confirmed.
    told: BTreeMap<sponte_proto::Txid, (WalletTxState, WalletTxKind)>,
    chain: Vec<Block>,
    next_number: u64,
}

impl Node {
    fn new() -> Node {
        let wallet = Wallet::create_or_load(&seed(), NETWORK, vec![], None).unwrap();
        let genesis = bitcoin::constants::genesis_block(NETWORK);
        let mut node = Node {
            wallet,
            disk: BTreeMap::new(),
            told: BTreeMap::new(),
            chain: vec![genesis],
            next_number: 0,
        };
        node.commit();
        node
    }

    /// With so many confirmed deposits.
    fn with_coins(deposits: &[u64]) -> Node {
        let mut node = Node::new();
        let txs = deposits.iter().map(|sat| node.deposit_tx(*sat)).collect();
        node.mine(txs);
        node.mine_empty(5);
        node.commit();
        node
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn height(&self) -> u32 {
        self.chain.len() as u32 - 1
    }

    /// A stranger's payment to a new address.
    fn deposit_tx(&mut self, sat: u64) -> Transaction {
        let number = self.number();
        let script = script_of(&self.wallet.new_address());
        tx(&[strange_outpoint(number)], &[(script, sat), (stranger(), 5_000)])
    }

    fn mine(&mut self, txs: Vec<Transaction>) {
        let number = self.number();
        let previous = self.chain.last().unwrap().block_hash();
        let coinbase = tx(&[OutPoint::null()], &[(stranger(), number)]);
        let block = block(previous, [coinbase].into_iter().chain(txs).collect());
        self.chain.push(block.clone());
        self.wallet.block_connected(&block, self.height());
    }

    fn mine_empty(&mut self, blocks: u32) {
        (0..blocks).for_each(|_| self.mine(vec![]));
    }

    fn see(&mut self, tx: &Transaction) {
        self.wallet.apply_mempool(vec![(tx.clone(), 1_700_000_000)], vec![]);
    }

    /// Takes blocks back; what they held, coinbases excepted.
    fn disconnect(&mut self, blocks: usize) -> Vec<Transaction> {
        let kept = self.chain.len().saturating_sub(blocks).max(1);
        let gone = self.chain.split_off(kept);
        let fork = BlockLocator::new(self.chain[kept - 1].block_hash(), self.height());
        self.wallet.blocks_disconnected(fork);
        gone.into_iter().flat_map(|block| block.txdata).filter(|tx| !tx.is_coinbase()).collect()
    }

    /// The end of a step: books and disk. Changes, in order.
    fn commit(&mut self) -> Vec<WalletTx> {
        let changes = self.wallet.poll_changes();
        for change in &changes {
            match change.state {
                WalletTxState::Gone => {
                    let (_, kind) = self.told.remove(&change.txid).expect("only what was told can be gone");
                    assert_eq!(kind, change.kind);
                }
                state => {
                    let old = self.told.insert(change.txid, (state, change.kind.clone()));
                    if let Some((old_state, old_kind)) = old {
                        assert_eq!((old_state, state), (WalletTxState::Seen, WalletTxState::Confirmed));
                        assert_eq!(old_kind, change.kind);
                    }
                }
            }
        }
        for entry in self.wallet.take_writes() {
            assert_eq!(entry.namespace, super::NAMESPACE);
            match entry.value {
                Some(value) => self.disk.insert(entry.key, value),
                None => self.disk.remove(&entry.key),
            };
        }
        self.check_books();
        changes
    }

    /// Loses what was not committed.
    fn restart(&mut self) {
        self.wallet = open(&self.disk).unwrap();
    }

    fn check_books(&self) {
        let sum: i128 = self.told.values().map(|(_, kind)| effect(kind)).sum();
        let (ours, bdk) = (self.wallet.balance(Sat::ZERO), bdk_balance(&self.wallet));
        assert_eq!(sum, i128::from(bdk.total().to_sat()), "{:#?}", self.told);
        assert_eq!(ours.confirmed.to_sat(), bdk.confirmed.to_sat());
        assert_eq!(ours.unconfirmed.to_sat(), bdk.untrusted_pending.to_sat());
        assert_eq!(ours.immature.to_sat(), bdk.immature.to_sat());
        assert_eq!(self.wallet.total().to_sat(), bdk.total().to_sat());
    }

    fn kind(&self, txid: Txid) -> Option<&WalletTxKind> {
        self.told.get(&id(txid)).map(|(_, kind)| kind)
    }
}

fn open(disk: &BTreeMap<String, Vec<u8>>) -> Result<Wallet, super::WalletError> {
    // A store may hand them out in any order.
    let entries = disk.iter().rev().map(|(key, value)| (key.clone(), value.clone())).collect();
    Wallet::create_or_load(&seed(), NETWORK, entries, None)
}

fn block(previous: BlockHash, txdata: Vec<Transaction>) -> Block {
    let header = Header {
        version: Version::TWO,
        prev_blockhash: previous,
        merkle_root: TxMerkleNode::all_zeros(),
        time: 1_700_000_000,
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce: 0,
    };
    let mut block = Block { header, txdata };
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    block
}

fn id(txid: Txid) -> sponte_proto::Txid {
    sponte_proto::Txid::from_bytes(txid.to_byte_array())
}

fn effect(kind: &WalletTxKind) -> i128 {
    let sat = |sat: &Sat| i128::from(sat.to_sat());
    match kind {
        WalletTxKind::Deposit(amount) => sat(amount),
        WalletTxKind::Withdrawal { amount, fee } => -sat(amount) - sat(fee),
        WalletTxKind::Funding { value, fee } => -sat(value) - sat(fee),
        WalletTxKind::Sweep { inputs, fee } => {
            inputs.iter().map(|(_, value)| sat(value)).sum::<i128>() - sat(fee)
        }
        WalletTxKind::Bump { cost } => -sat(cost),
    }
}

/// Every input that spends one of `coins` is signed as consensus wants it.
fn assert_signed(tx: &Transaction, coins: &BTreeMap<OutPoint, TxOut>) {
    let bytes = bitcoin::consensus::serialize(tx);
    let mut checked = 0;
    for (index, input) in tx.input.iter().enumerate() {
        let Some(coin) = coins.get(&input.previous_output) else { continue };
        let script = coin.script_pubkey.as_bytes();
        bitcoinconsensus::verify(script, coin.value.to_sat(), &bytes, None, index).unwrap();
        checked += 1;
    }
    assert!(checked > 0, "no input of ours");
}

fn coins_of(wallet: &Wallet) -> BTreeMap<OutPoint, TxOut> {
    wallet.lock().holdings().coins.into_values().map(|coin| (coin.outpoint, coin.txout)).collect()
}

/// The balance as BDK sums it up, over everything that it has.
fn bdk_balance(wallet: &Wallet) -> bdk_wallet::Balance {
    let state = wallet.lock();
    let outpoints = state.bdk.spk_index().outpoints().iter().cloned();
    let (tip, params) = (state.blocks.tip(), CanonicalizationParams::default());
    state.bdk.tx_graph().balance(&state.blocks, tip, params, outpoints, |_, _| false)
}
