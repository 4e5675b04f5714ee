//! What of the mempool the wallet wants to hear of.

use std::collections::HashSet;
use std::sync::RwLock;

use bitcoin::{ScriptBuf, Transaction, Txid};

/// The wallet's interests, shared with the chain thread.
///
/// A transaction is told if it pays one of the scripts, is one of the txids, or spends an output
/// of one of them. A script added later is not looked for in transactions already seen: watch
/// addresses before they are given out.
#[derive(Debug, Default)]
pub struct WatchedScripts(RwLock<Watched>);

#[derive(Debug, Default)]
struct Watched {
    scripts: HashSet<ScriptBuf>,
    txids: HashSet<Txid>,
}

impl WatchedScripts {
    /// Adds scripts to watch.
    pub fn watch_scripts(&self, scripts: impl IntoIterator<Item = ScriptBuf>) {
        self.write().scripts.extend(scripts);
    }

    /// Adds transactions to watch that count only while the mempool has them: each listing without
    /// one tells it gone, until it is forgotten.
    pub fn watch_txids(&self, txids: impl IntoIterator<Item = Txid>) {
        self.write().txids.extend(txids);
    }

    /// Stops watching transactions, such as those that are confirmed.
    pub fn forget_txids<'a>(&self, txids: impl IntoIterator<Item = &'a Txid>) {
        let mut watched = self.write();
        for txid in txids {
            watched.txids.remove(txid);
        }
    }

    /// Whether nothing is watched: then the mempool is not read at all.
    pub fn is_empty(&self) -> bool {
        let watched = self.read();
        watched.scripts.is_empty() && watched.txids.is_empty()
    }

    /// Whether the wallet cares for `tx`.
    pub fn concern(&self, tx: &Transaction, txid: &Txid) -> bool {
        let watched = self.read();
        let pays = |script: &ScriptBuf| watched.scripts.contains(script);
        watched.txids.contains(txid)
            || tx.output.iter().any(|output| pays(&output.script_pubkey))
            || tx.input.iter().any(|input| watched.txids.contains(&input.previous_output.txid))
    }

    /// The transactions that are watched.
    pub(super) fn txids(&self) -> HashSet<Txid> {
        self.read().txids.clone()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Watched> {
        self.0.read().expect("no holder of this lock can panic")
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Watched> {
        self.0.write().expect("no holder of this lock can panic")
    }
}
