//! Coins, and transactions that spend them.

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::opcodes::OP_TRUE;
use bitcoin::script::Builder;
use bitcoin::transaction::Version;
use bitcoin::{
    Address, Amount, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness,
};

/// A coin that anyone can spend.
#[derive(Clone, Copy, Debug)]
pub struct Coin {
    pub outpoint: OutPoint,
    pub sat: u64,
}

fn witness_script() -> ScriptBuf {
    Builder::new().push_opcode(OP_TRUE).into_script()
}

pub fn address() -> Address {
    Address::p2wsh(&witness_script(), Network::Regtest)
}

pub fn output(sat: u64) -> TxOut {
    output_to(sat, address().script_pubkey())
}

pub fn output_to(sat: u64, script_pubkey: ScriptBuf) -> TxOut {
    TxOut { value: Amount::from_sat(sat), script_pubkey }
}

impl Coin {
    /// The output of this number.
    pub fn of(tx: &Transaction, vout: u32) -> Coin {
        let outpoint = OutPoint { txid: tx.compute_txid(), vout };
        Coin { outpoint, sat: tx.output[vout as usize].value.to_sat() }
    }

    /// One that nobody has ever made.
    pub fn never() -> Coin {
        Coin { outpoint: OutPoint { txid: Txid::from_byte_array([7; 32]), vout: 0 }, sat: 50_000 }
    }

    /// Spends it to one output, at this fee; the sequence says that it may be replaced.
    pub fn spend(self, fee_sat: u64) -> Transaction {
        spend(&[self], vec![output(self.sat - fee_sat)])
    }
}

pub fn spend(coins: &[Coin], output: Vec<TxOut>) -> Transaction {
    let input = coins.iter().map(|coin| TxIn {
        previous_output: coin.outpoint,
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::from_slice(&[witness_script()]),
        ..TxIn::default()
    });
    Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: input.collect(), output }
}
