//! Sends released packages to bitcoind.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::Transaction;
use bitcoin::consensus::encode::serialize_hex;
use serde::Deserialize;
use serde_json::{Value, json};

use super::outbox::Outbox;
use super::rpc::{Rpc, code};
use super::{ChainError, Package};

const RETRY: Duration = Duration::from_secs(1);

/// What we read of the answer of `submitpackage`.
#[derive(Deserialize)]
struct PackageAnswer {
    package_msg: String,
    #[serde(default, rename = "tx-results")]
    results: HashMap<String, TxAnswer>,
}

#[derive(Deserialize)]
struct TxAnswer {
    error: Option<String>,
}

/// The part of the chain thread that broadcasts.
pub(super) struct Announcer {
    pub rpc: Arc<Rpc>,
    pub outbox: Arc<Outbox>,
}

impl Announcer {
    /// Sends what becomes due, for ever.
    pub async fn run(&self) {
        loop {
            self.outbox.work.notified().await;
            while !self.flush().await {
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Sends all that is due; false if bitcoind went away before the end.
    pub async fn flush(&self) -> bool {
        while let Some(package) = self.outbox.next_due() {
            if let Err(error) = self.send(&package).await {
                tracing::debug!(%error, "cannot broadcast now");
                return false;
            }
        }
        true
    }

    /// `Err` only if bitcoind could not be asked.
    async fn send(&self, package: &Package) -> Result<(), ChainError> {
        let refusal = match package.transactions() {
            [single] => self.send_one(single).await?,
            several => match self.send_together(several).await? {
                None => None,
                Some(together) => {
                    tracing::debug!(%together, "sending a package one by one");
                    self.send_each(several).await?
                }
            },
        };
        let told = refusal.clone();
        if self.outbox.note_answer(package, refusal) {
            let (purpose, txids) = (package.purpose(), package.txids());
            match told {
                Some(reason) => tracing::warn!(purpose, ?txids, %reason, "bitcoind refused it"),
                None => tracing::info!(purpose, ?txids, "bitcoind took it at last"),
            }
        }
        Ok(())
    }

    /// `submitpackage`, which lets a child pay for parents below the mempool's minimum. Gives the
    /// reason if that did not work; then each may still be accepted, or known, by itself.
    async fn send_together(&self, txs: &[Transaction]) -> Result<Option<String>, ChainError> {
        let hexes: Vec<String> = txs.iter().map(serialize_hex).collect();
        let answer: PackageAnswer = match self.rpc.call("submitpackage", json!([hexes])).await {
            Ok(answer) => answer,
            Err(error) => return refused(error).map(Some),
        };
        if answer.package_msg == "success" {
            return Ok(None);
        }
        let errors = answer.results.into_values().filter_map(|tx| tx.error);
        let mut reason = answer.package_msg;
        for error in errors {
            reason.push_str("; ");
            reason.push_str(&error);
        }
        Ok(Some(reason))
    }

    async fn send_each(&self, txs: &[Transaction]) -> Result<Option<String>, ChainError> {
        let mut reasons = Vec::new();
        for tx in txs {
            reasons.extend(self.send_one(tx).await?);
        }
        Ok((!reasons.is_empty()).then(|| reasons.join("; ")))
    }

    async fn send_one(&self, tx: &Transaction) -> Result<Option<String>, ChainError> {
        let hex = serialize_hex(tx);
        let sent: Result<Value, _> = self.rpc.call("sendrawtransaction", json!([hex])).await;
        match sent {
            Ok(_) => Ok(None),
            Err(error) if is_known(&error) => Ok(None),
            Err(error) => refused(error).map(Some),
        }
    }
}

/// bitcoind's reason, or the error itself if it could not be asked.
fn refused(error: ChainError) -> Result<String, ChainError> {
    match error {
        ChainError::Rpc { message, .. } if !message.is_empty() => Ok(message),
        ChainError::Rpc { code, .. } => Ok(format!("error {code}")),
        ChainError::Nonsense { why, .. } => Ok(why),
        other => Err(other),
    }
}

/// Whether the transaction is already where it should be.
fn is_known(error: &ChainError) -> bool {
    let ChainError::Rpc { code, message, .. } = error else {
        return false;
    };
    *code == code::ALREADY_IN_CHAIN
        || ["txn-already-known", "txn-already-in-mempool"].iter().any(|word| message.contains(word))
}
