//! What the loop of a node asks before it hands in an event that may be a repeat.

use crate::codec::Col;
use crate::error::StoreError;
use crate::ledger::Ledger;
use crate::payments::{ATTEMPT, all, attempt};
use crate::transfers::transfer;
use rusqlite::OptionalExtension;
use sponte_engine::commit::{AttemptRow, TransferRow};
use sponte_proto::PaymentId;

impl Ledger {
    /// The attempt with this id.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn attempt(&self, id: &PaymentId) -> Result<Option<AttemptRow>, StoreError> {
        let sql = format!("SELECT {ATTEMPT} FROM attempts WHERE id = ?1");
        self.readers.read(|conn| Ok(conn.prepare_cached(&sql)?.query_row([Col(*id)], attempt).optional()?))
    }

    /// All transfers whose key starts with `prefix`, in the order of their keys. One indexed read.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn transfers_under(&self, prefix: &str) -> Result<Vec<TransferRow>, StoreError> {
        let sql = "SELECT t.seq, t.key, d.name, c.name, t.amount_msat, t.state, t.payment, t.created_at_ms
                   FROM transfers t CROSS JOIN accounts d ON d.id = t.debit
                   CROSS JOIN accounts c ON c.id = t.credit
                   WHERE t.key >= ?1 AND t.key < ?2 ORDER BY t.key";
        // No text sorts behind the last character that there is.
        let end = format!("{prefix}\u{10FFFF}");
        self.readers.read(|conn| {
            let rows = all(conn, sql, (prefix, &end), transfer)?;
            Ok(rows.into_iter().map(|(_, row)| row).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Options, Store};
    use sponte_engine::commit::{Account, ChangeSet, Transaction, TransferRow, TransferState};
    use sponte_proto::{Msat, PaymentId, Timestamp};
    use std::sync::mpsc;

    fn transfer(key: &str) -> TransferRow {
        TransferRow {
            key: key.into(),
            debit: Account::World,
            credit: Account::OnChain,
            amount: Msat::new(1).expect("small"),
            state: TransferState::Posted,
            payment: None,
            created_at: Timestamp::default(),
        }
    }

    #[test]
    fn transfers_under_a_prefix_and_no_others() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(dir.path(), Options { create: true, ..Options::default() }).expect("opens");
        let transfers = ["a/", "a/2", "a/1é", "a0", "a", "b/1"].map(transfer);
        let changes = ChangeSet { transfers: transfers.to_vec(), ..ChangeSet::default() };
        let (sender, receiver) = mpsc::channel();
        let end = Box::new(move |end| sender.send(end).expect("waited for"));
        store.writer().submit(Transaction { changes, ..Transaction::default() }, end);
        receiver.recv().expect("told").expect("written");

        let found = store.ledger().transfers_under("a/").expect("reads");
        let keys: Vec<_> = found.iter().map(|row| row.key.as_str()).collect();
        assert_eq!(keys, ["a/", "a/1é", "a/2"]);
        assert_eq!(found[0], transfer("a/"));
        assert_eq!(store.ledger().attempt(&PaymentId::from_bytes([1; 32])).expect("reads"), None);
    }
}
