//! Which valid transactions are relayed: the part of bitcoind's `IsStandardTx` that matters
//! to wallets and channels. Version 3 (TRUC) and ephemeral dust are refused.

use bitcoin::script::Instruction;
use bitcoin::{Amount, Script, Transaction, TxOut, Weight, WitnessVersion};

use crate::coins::Coin;
use crate::policy::Policy;
use crate::reject::Reason;

/// The smallest transaction without witness: shorter ones look like inner merkle nodes.
const MIN_NONWITNESS_SIZE: usize = 65;
/// The longest script of a data output.
const MAX_DATA_OUTPUT_SIZE: usize = 83;
/// The longest script of a spending input.
const MAX_SCRIPT_SIG_SIZE: usize = 1650;
/// The most keys of a multisig script that is not hashed.
const MAX_BARE_KEYS: usize = 3;

/// Version 1 with a program of two bytes.
const PAY_TO_ANCHOR: [u8; 4] = [0x51, 0x02, 0x4e, 0x73];

/// # Errors
/// The reason in the words of bitcoind, such as `dust`.
pub(crate) fn check_standard(tx: &Transaction, policy: &Policy) -> Result<(), Reason> {
    if !tx.version.is_standard() {
        return Err(Reason::new("version"));
    }
    if tx.weight() > Weight::from_wu(400_000) {
        return Err(Reason::new("tx-size"));
    }
    if tx.base_size() < MIN_NONWITNESS_SIZE {
        return Err(Reason::new("tx-size-small"));
    }
    for input in &tx.input {
        if input.script_sig.len() > MAX_SCRIPT_SIG_SIZE {
            return Err(Reason::new("scriptsig-size"));
        }
        if !input.script_sig.is_push_only() {
            return Err(Reason::new("scriptsig-not-pushonly"));
        }
    }
    check_outputs(tx, policy)
}

/// # Errors
/// `bad-txns-nonstandard-inputs` for a spend of an output that relay does not know,
/// `bad-witness-nonstandard` for a spend of an anchor, which needs no witness, with one.
pub(crate) fn check_spent(tx: &Transaction, spent: &[Coin]) -> Result<(), Reason> {
    let is_known = |script: &Script| match script.witness_version() {
        None | Some(WitnessVersion::V0) => has_standard_type(script),
        Some(_) => script.is_p2tr() || is_pay_to_anchor(script),
    };
    if !spent.iter().all(|coin| is_known(&coin.output.script_pubkey)) {
        return Err(Reason::new("bad-txns-nonstandard-inputs"));
    }
    let mut inputs = tx.input.iter().zip(spent);
    if inputs.any(|(input, coin)| is_pay_to_anchor(&coin.output.script_pubkey) && !input.witness.is_empty()) {
        return Err(Reason::new("bad-witness-nonstandard"));
    }
    Ok(())
}

fn check_outputs(tx: &Transaction, policy: &Policy) -> Result<(), Reason> {
    let mut data_outputs = 0;
    for output in &tx.output {
        let script = &output.script_pubkey;
        if is_data_output(script) {
            data_outputs += 1;
        } else if !has_standard_type(script) {
            return Err(Reason::new("scriptpubkey"));
        }
    }
    if dust_outputs(tx, policy) > 1 {
        return Err(Reason::new("dust"));
    }
    if data_outputs > 1 {
        return Err(Reason::new("multi-op-return"));
    }
    Ok(())
}

/// One output of dust would be spent by a child that comes with it, and pays for both.
///
/// # Errors
/// `dust` if the transaction pays a fee itself. If it does not, relay has no use for it.
pub(crate) fn check_dust(tx: &Transaction, policy: &Policy, fee: Amount) -> Result<(), Reason> {
    if fee > Amount::ZERO && dust_outputs(tx, policy) > 0 {
        return Err(Reason::with("dust", "tx with dust output must be 0-fee"));
    }
    Ok(())
}

fn dust_outputs(tx: &Transaction, policy: &Policy) -> usize {
    let is_dust =
        |output: &&TxOut| output.value < output.script_pubkey.minimal_non_dust_custom(policy.dust_relay_fee);
    tx.output.iter().filter(is_dust).count()
}

fn has_standard_type(script: &Script) -> bool {
    script.is_p2pk()
        || script.is_p2pkh()
        || script.is_p2sh()
        || script.is_witness_program() && !is_short_v0_program(script)
        || is_bare_multisig(script, MAX_BARE_KEYS)
}

/// An output that anybody may spend, to pay for the transaction that has it.
pub(crate) fn is_pay_to_anchor(script: &Script) -> bool {
    script.as_bytes() == PAY_TO_ANCHOR
}

/// Whether a script asks for signatures of at most `max_keys` keys, none of them hashed.
pub(crate) fn is_bare_multisig(script: &Script, max_keys: usize) -> bool {
    // Two numbers and the opcode stand around the keys. `is_multisig` counts keys in a byte,
    // which more than 255 of them would overflow: so they are counted here first.
    script.instructions().count() <= max_keys + 3 && script.is_multisig()
}

/// Version 0 has two lengths; any other can never be spent.
fn is_short_v0_program(script: &Script) -> bool {
    script.as_bytes().first() == Some(&0) && !script.is_p2wpkh() && !script.is_p2wsh()
}

fn is_data_output(script: &Script) -> bool {
    script.is_op_return()
        && script.len() <= MAX_DATA_OUTPUT_SIZE
        && script.instructions().skip(1).all(|instruction| match instruction {
            Ok(Instruction::PushBytes(_)) => true,
            Ok(Instruction::Op(op)) => op.to_u8() <= bitcoin::opcodes::all::OP_PUSHNUM_16.to_u8(),
            Err(_) => false,
        })
}

#[cfg(test)]
mod tests {
    use bitcoin::ScriptBuf;

    use super::*;

    #[test]
    fn bare_multisig_has_few_keys() {
        let script = |keys: usize| {
            let mut bytes = vec![0x51];
            bytes.extend([[0x21].as_slice(), &[2; 33]].concat().repeat(keys));
            bytes.extend([0x50 + keys.min(16) as u8, 0xae]);
            ScriptBuf::from_bytes(bytes)
        };
        assert!(is_bare_multisig(&script(3), MAX_BARE_KEYS));
        assert!(!is_bare_multisig(&script(4), MAX_BARE_KEYS));
        assert!(!is_bare_multisig(&script(300), MAX_BARE_KEYS), "and no overflow");
    }

    #[test]
    fn data_outputs_carry_pushes_only() {
        let script = |hex: &str| ScriptBuf::from_hex(hex).expect("hex");
        assert!(is_data_output(&script("6a")));
        assert!(is_data_output(&script("6a04deadbeef51")));
        assert!(!is_data_output(&script("6aac")));
        assert!(!is_data_output(&script("6a04dead")), "a push beyond the end");
        assert!(is_data_output(&script(&format!("6a4c50{}", "00".repeat(80)))));
        assert!(!is_data_output(&script(&format!("6a4c51{}", "00".repeat(81)))), "84 bytes");
    }
}
