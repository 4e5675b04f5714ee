//! Scripts as bitcoind shows them.

use bitcoin::hex::DisplayHex;
use bitcoin::script::{Instruction, read_scriptint_non_minimal};
use bitcoin::{Address, Network, PublicKey, Script, WitnessVersion, XOnlyPublicKey};
use serde_json::{Value, json};

use crate::standard::{is_bare_multisig, is_pay_to_anchor};

/// The `scriptPubKey` object of an output.
pub(super) fn script_pubkey(script: &Script) -> Value {
    let address = Address::from_script(script, Network::Regtest).ok();
    let inner = descriptor(script, address.as_ref());
    let mut json = json!({
        "asm": asm(script),
        "desc": format!("{inner}#{}", descriptor_checksum(&inner)),
        "hex": script.to_hex_string(),
    });
    if let Some(address) = address {
        json["address"] = json!(address.to_string());
    }
    json["type"] = json!(type_name(script));
    json
}

/// What bitcoind infers of a script alone: keys where it shows them, else its address or its bytes.
fn descriptor(script: &Script, address: Option<&Address>) -> String {
    let with_keys = if script.is_p2tr() {
        taproot_key(script).map(|key| format!("rawtr({key})"))
    } else if script.is_p2pk() {
        script.p2pk_public_key().map(|key| format!("pk({key})"))
    } else {
        multisig_keys(script).map(|(least, keys)| format!("multi({least},{keys})"))
    };
    with_keys.unwrap_or_else(|| match address {
        Some(address) => format!("addr({address})"),
        None => format!("raw({})", script.to_hex_string()),
    })
}

/// Not any 32 bytes are a key.
fn taproot_key(script: &Script) -> Option<XOnlyPublicKey> {
    XOnlyPublicKey::from_slice(script.as_bytes().get(2..)?).ok()
}

/// How many signatures a multisig script asks for, and the keys, if all of them are keys.
fn multisig_keys(script: &Script) -> Option<(String, String)> {
    if !is_bare_multisig(script, MAX_MULTISIG_KEYS) {
        return None;
    }
    let words = asm(script);
    let mut words = words.split(' ');
    let least = words.next()?;
    let keys = words.filter(|word| word.len() > 2 && !word.starts_with("OP_"));
    let keys: Option<Vec<PublicKey>> = keys.map(|key| key.parse().ok()).collect();
    let keys: Vec<String> = keys?.iter().map(ToString::to_string).collect();
    Some((least.to_owned(), keys.join(",")))
}

/// bitcoind's name for the kind of a script.
fn type_name(script: &Script) -> &'static str {
    match script.witness_version() {
        Some(WitnessVersion::V0) if script.is_p2wpkh() => return "witness_v0_keyhash",
        Some(WitnessVersion::V0) if script.is_p2wsh() => return "witness_v0_scripthash",
        Some(WitnessVersion::V0) => return "nonstandard",
        Some(WitnessVersion::V1) if script.is_p2tr() => return "witness_v1_taproot",
        Some(WitnessVersion::V1) if is_pay_to_anchor(script) => return "anchor",
        Some(_) => return "witness_unknown",
        None => {}
    }
    if script.is_p2pk() {
        "pubkey"
    } else if script.is_p2pkh() {
        "pubkeyhash"
    } else if script.is_p2sh() {
        "scripthash"
    } else if is_bare_multisig(script, MAX_MULTISIG_KEYS) {
        "multisig"
    } else if script.is_op_return() && pushes_only_after_first(script) {
        "nulldata"
    } else {
        "nonstandard"
    }
}

/// The most keys of OP_CHECKMULTISIG (consensus).
const MAX_MULTISIG_KEYS: usize = 20;

fn pushes_only_after_first(script: &Script) -> bool {
    Script::from_bytes(&script.as_bytes()[1..]).is_push_only()
}

/// A script in words: data in hex, short data as numbers.
pub(super) fn asm(script: &Script) -> String {
    let words = script.instructions().map(|instruction| match instruction {
        Ok(Instruction::PushBytes(bytes)) if bytes.len() <= 4 => read_scriptint_non_minimal(bytes.as_bytes())
            .map_or_else(|_| bytes.as_bytes().to_lower_hex_string(), |n| n.to_string()),
        Ok(Instruction::PushBytes(bytes)) => bytes.as_bytes().to_lower_hex_string(),
        Ok(Instruction::Op(op)) => opcode_name(op),
        Err(_) => "[error]".to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn opcode_name(op: bitcoin::Opcode) -> String {
    let name = op.to_string();
    match name.as_str() {
        "OP_PUSHNUM_NEG1" => "-1".to_owned(),
        "OP_CLTV" => "OP_CHECKLOCKTIMEVERIFY".to_owned(),
        "OP_CSV" => "OP_CHECKSEQUENCEVERIFY".to_owned(),
        _ => name.strip_prefix("OP_PUSHNUM_").map_or(name.clone(), str::to_owned),
    }
}

/// The eight characters that guard a descriptor (BIP 380).
fn descriptor_checksum(descriptor: &str) -> String {
    const INPUT: &str = "0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~\
                         ijklmnopqrstuvwxyzABCDEFGH`#\"\\ ";
    const OUTPUT: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let mut state = 1;
    let (mut class, mut count) = (0, 0);
    for position in descriptor.chars().filter_map(|c| INPUT.find(c)) {
        let position = position as u64;
        state = polymod(state, position & 31);
        class = class * 3 + (position >> 5);
        count += 1;
        if count == 3 {
            state = polymod(state, class);
            (class, count) = (0, 0);
        }
    }
    if count > 0 {
        state = polymod(state, class);
    }
    for _ in 0..8 {
        state = polymod(state, 0);
    }
    state ^= 1;
    (0..8).map(|i| char::from(OUTPUT[(state >> (5 * (7 - i)) & 31) as usize])).collect()
}

fn polymod(state: u64, value: u64) -> u64 {
    const GENERATOR: [u64; 5] =
        [0xf5_dee5_1989, 0xa9_fdca_3312, 0x1b_ab10_e32d, 0x37_06b1_677a, 0x64_4d62_6ffd];
    let top = state >> 35;
    let mixed = (state & 0x7_ffff_ffff) << 5 ^ value;
    GENERATOR
        .iter()
        .enumerate()
        .filter(|(bit, _)| top >> bit & 1 == 1)
        .fold(mixed, |state, (_, generator)| state ^ generator)
}

#[cfg(test)]
mod tests {
    use bitcoin::ScriptBuf;

    use super::*;

    #[test]
    fn checksum_of_a_published_descriptor() {
        // BIP 380, test vectors.
        assert_eq!(descriptor_checksum("raw(deadbeef)"), "89f8spxm");
    }

    #[test]
    fn keys_that_are_seen_are_in_the_descriptor() {
        // Those of BIP 340's and BIP 327's vectors, and bytes that are none.
        let key = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        let other = "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9";
        let none = "ff".repeat(32);
        let inferred = |hex: String| {
            let json = script_pubkey(&ScriptBuf::from_hex(&hex).expect("hex"));
            let desc = json["desc"].as_str().expect("a text").to_owned();
            desc.split('#').next().expect("the part before the checksum").to_owned()
        };
        assert_eq!(inferred(format!("5120{key}")), format!("rawtr({key})"));
        assert!(inferred(format!("5120{none}")).starts_with("addr(bcrt1p"));
        assert_eq!(inferred(format!("2102{key}ac")), format!("pk(02{key})"));
        assert!(inferred(format!("2102{none}ac")).starts_with("raw(2102ff"));
        let multisig = |last: &str| format!("522102{key}2103{key}2102{last}53ae");
        assert_eq!(inferred(multisig(other)), format!("multi(2,02{key},03{key},02{other})"));
        assert!(inferred(multisig(&none)).starts_with("raw(52"));
        assert!(inferred(format!("0020{key}")).starts_with("addr(bcrt1q"));
    }

    #[test]
    fn asm_reads_like_bitcoind() {
        let script = ScriptBuf::from_hex("5221aa").expect("hex");
        assert_eq!(asm(&script), "2 [error]");
        let anchor = ScriptBuf::new_p2a();
        assert_eq!(asm(&anchor), "1 29518");
        assert_eq!(type_name(&anchor), "anchor");
        let csv = ScriptBuf::from_hex("60b275").expect("hex");
        assert_eq!(asm(&csv), "16 OP_CHECKSEQUENCEVERIFY OP_DROP");
    }
}
