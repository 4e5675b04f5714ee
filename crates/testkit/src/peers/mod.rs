//! Programs of others, for scenarios that want the real ones.

mod bitcoind;
mod ports;

pub use bitcoind::Bitcoind;
pub use ports::free_ports;

use std::env;
use std::path::PathBuf;

/// Where a program of others is: `NAME/bin/NAME` below `$SPONTE_PEERS`, or else below `sponte-peers`
/// in the user's folder for caches.
///
/// # Panics
/// It is not there.
pub fn program(name: &str) -> PathBuf {
    let path = folder().join(name).join("bin").join(name);
    assert!(path.is_file(), "there is no {}: run ci/peers/install", path.display());
    path
}

fn folder() -> PathBuf {
    let of = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || of("XDG_CACHE_HOME").or_else(|| of("HOME").map(|home| home.join(".cache")));
    of("SPONTE_PEERS")
        .or_else(|| cache().map(|cache| cache.join("sponte-peers")))
        .expect("SPONTE_PEERS, XDG_CACHE_HOME or HOME is set")
}
