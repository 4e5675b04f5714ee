//! Coins that anyone can spend: a faucet without keys.

use bitcoin::absolute::LockTime;
use bitcoin::opcodes::OP_TRUE;
use bitcoin::opcodes::all::OP_DROP;
use bitcoin::script::Builder;
use bitcoin::transaction::Version;
use bitcoin::{
    Address, Amount, FeeRate, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness,
};

/// A coin of the faucet.
#[derive(Clone, Copy, Debug)]
pub(super) struct FreeCoin {
    pub outpoint: OutPoint,
    pub value: Amount,
}

/// What a coin asks of its spender: nothing. Hashed, as relay asks for.
fn witness_script() -> ScriptBuf {
    Builder::new().push_opcode(OP_TRUE).into_script()
}

/// Whom the first blocks and all change are paid to.
pub(super) fn address() -> Address {
    Address::p2wsh(&witness_script(), Network::Regtest)
}

/// As [`address`], but of coins that nobody looks for.
pub(super) fn address_of(number: u32) -> Address {
    let script = Builder::new().push_int(number.into()).push_opcode(OP_DROP).push_opcode(OP_TRUE);
    Address::p2wsh(&script.into_script(), Network::Regtest)
}

impl FreeCoin {
    /// Pays from it at a feerate; the change is the last output.
    ///
    /// # Panics
    /// It is worth less than that.
    pub(super) fn pay(self, mut output: Vec<TxOut>, rate: FeeRate) -> (Transaction, FreeCoin) {
        let paid: Amount = output.iter().map(|output| output.value).sum();
        let vout = output.len() as u32;
        output.push(TxOut { value: Amount::ZERO, script_pubkey: address().script_pubkey() });
        let mut tx = self.spend(output);
        let fee = rate.fee_vb(tx.vsize() as u64).expect("a feerate of this world");
        let value = self.value.checked_sub(paid + fee).expect("the coin is large enough");
        tx.output[vout as usize].value = value;
        let outpoint = OutPoint { txid: tx.compute_txid(), vout };
        (tx, FreeCoin { outpoint, value })
    }

    fn spend(self, output: Vec<TxOut>) -> Transaction {
        let input = TxIn {
            previous_output: self.outpoint,
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::from_slice(&[witness_script()]),
            ..TxIn::default()
        };
        Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output }
    }
}
