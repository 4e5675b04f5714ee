//! Where the programs are.

use std::path::PathBuf;

/// A program that `ci/peers/install` has put into the cache: `bitcoind`, `bitcoin-cli`, `lnd` or `lncli`.
/// The cache is the folder that `SPONTE_PEERS` names; else `sponte-peers` in `XDG_CACHE_HOME`, or in `.cache`
/// of the home folder.
///
/// # Panics
/// It is not there.
pub fn program(name: &str) -> PathBuf {
    let of = if name.starts_with("bitcoin") { "bitcoind" } else { "lnd" };
    let path = cache().join(of).join("bin").join(name);
    assert!(path.exists(), "{name} is not in {}: run ci/peers/install", path.display());
    path
}

fn cache() -> PathBuf {
    let named = |variable| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("SPONTE_PEERS")
        .or_else(|| named("XDG_CACHE_HOME").map(|folder| folder.join("sponte-peers")))
        .or_else(|| named("HOME").map(|folder| folder.join(".cache/sponte-peers")))
        .expect("a home folder, or SPONTE_PEERS")
}
