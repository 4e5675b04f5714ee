//! The seed's file: its words on one line, written once, never logged.

use crate::context::Context;
use crate::data_dir::{self, DataDir};
use crate::failure::Failure;
use sponte_api::Code;
use sponte_ldk::seed::Seed;
use zeroize::Zeroizing;

/// A fresh seed of 24 words.
///
/// # Errors
/// The system has no randomness.
pub fn generate() -> Result<Seed, Failure> {
    let mut entropy = Zeroizing::new([0; 32]);
    getrandom::fill(entropy.as_mut())
        .map_err(|why| Failure::new(Code::Internal, format!("the system gives no randomness: {why}")))?;
    Ok(Seed::generate(*entropy))
}

/// The seed of words that somebody typed.
///
/// # Errors
/// They are no seed: which word is wrong, by its number.
pub fn of_words(words: &str) -> Result<Seed, Failure> {
    Seed::parse(words).map_err(|why| Failure::new(Code::InvalidRequest, why.to_string()))
}

/// Writes the words; a seed that is there is never touched.
///
/// # Errors
/// There is one already, or the system does not let us.
pub fn write(context: &Context, seed: &Seed) -> Result<(), Failure> {
    let line = Zeroizing::new(format!("{}\n", *seed.words()));
    match data_dir::create_exclusive(&context.dir.seed(), line.as_bytes())? {
        true => Ok(()),
        false => Err(exists(context)),
    }
}

/// The seed of a folder.
///
/// # Errors
/// There is none, or the file holds something else.
pub fn read(dir: &DataDir) -> Result<Seed, Failure> {
    let path = dir.seed();
    let words = data_dir::read(&path)?.map(Zeroizing::new).ok_or_else(|| missing(dir))?;
    Seed::parse(&words).map_err(|why| {
        Failure::new(Code::BadConfig, format!("{}: {why}; restore it from your copy", path.display()))
    })
}

/// What is said when a node is there, but its seed is not.
pub fn missing(dir: &DataDir) -> Failure {
    Failure::new(
        Code::BadConfig,
        format!(
            "the seed of this node is missing: put its words back into {}, or choose another --dir; if `sponte init` \
             was interrupted before it showed the words, remove the folder and run it again",
            dir.seed().display()
        ),
    )
}

/// What is said when there is a seed already.
pub fn exists(context: &Context) -> Failure {
    Failure::new(
        Code::AlreadyInitialised,
        format!(
            "{} holds a seed already, which is never overwritten; start it with `sponte run{}`, or choose another --dir",
            context.dir.path().display(),
            context.flags()
        ),
    )
}
