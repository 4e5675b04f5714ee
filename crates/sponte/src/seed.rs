//! The seed's file: 24 words on one line, written once, never logged.

use crate::data_dir::{self, DataDir};
use crate::failure::Failure;
use bip39::Mnemonic;
use sponte_api::Code;

/// 24 fresh words.
///
/// # Errors
/// The system has no randomness.
pub fn generate() -> Result<String, Failure> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy)
        .map_err(|why| Failure::new(Code::Internal, format!("the system gives no randomness: {why}")))?;
    Ok(Mnemonic::from_entropy(&entropy).expect("BIP39 has words for 32 bytes").to_string())
}

/// The words in their one spelling.
///
/// # Errors
/// They are no seed: which word is wrong.
pub fn normalised(words: &str) -> Result<String, Failure> {
    let lower = words.to_lowercase();
    Mnemonic::parse(lower.split_whitespace().collect::<Vec<_>>().join(" "))
        .map(|words| words.to_string())
        .map_err(|why| Failure::new(Code::InvalidRequest, format!("these words are no seed: {why}")))
}

/// Writes the words; a seed that is there is never touched.
///
/// # Errors
/// There is one already, or the system does not let us.
pub fn write(dir: &DataDir, words: &str) -> Result<(), Failure> {
    match data_dir::create_exclusive(&dir.seed(), format!("{words}\n").as_bytes())? {
        true => Ok(()),
        false => Err(exists(dir)),
    }
}

/// What is said when there is a seed already.
pub fn exists(dir: &DataDir) -> Failure {
    Failure::new(
        Code::AlreadyInitialised,
        format!(
            "{} holds a seed already, which is never overwritten; start it with `sponte run`, or choose another --dir",
            dir.path().display()
        ),
    )
}
