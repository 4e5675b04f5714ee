//! What the loop of a node asks before it hands in an event that may be a repeat.

use crate::codec::Col;
use crate::error::StoreError;
use crate::ledger::Ledger;
use crate::payments::{ATTEMPT, PART, all, attempt, part};
use crate::transfers::transfer;
use rusqlite::OptionalExtension;
use sponte_engine::commit::{AttemptRow, PartRow, TransferRow};
use sponte_proto::{PaymentHash, PaymentId};

impl Ledger {
    /// The outgoing part that the backend knows by this id, as its payment and the number of its
    /// attempt.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn sent_part(&self, claim: &PaymentId) -> Result<Option<(PaymentId, u32)>, StoreError> {
        self.readers.read(|conn| {
            let mut select = conn.prepare_cached(
                "SELECT parts.payment, parts.attempt FROM parts INDEXED BY parts_claim
                 CROSS JOIN payments ON payments.id = parts.payment
                 WHERE parts.claim = ?1 AND payments.direction = 'out'",
            )?;
            let found = select.query_row([Col(*claim)], |row| {
                let Col(payment) = row.get(0)?;
                Ok((payment, row.get(1)?))
            });
            Ok(found.optional()?)
        })
    }

    /// The payment of an invoice's hash that is pending or settled; there is at most one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn payment_of_invoice(&self, hash: &PaymentHash) -> Result<Option<PaymentId>, StoreError> {
        self.readers.read(|conn| {
            let mut select = conn.prepare_cached(
                "SELECT id FROM payments INDEXED BY payments_invoice
                 WHERE invoice_hash = ?1 AND state IN ('pending', 'settled')",
            )?;
            let found = select.query_row([Col(*hash)], |row| Ok(row.get::<_, Col<PaymentId>>(0)?.0));
            Ok(found.optional()?)
        })
    }

    /// The attempt with this number of a payment.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn attempt(&self, payment: &PaymentId, number: u32) -> Result<Option<AttemptRow>, StoreError> {
        let sql = format!("SELECT {ATTEMPT} FROM attempts WHERE payment = ?1 AND number = ?2");
        self.readers.read(|conn| {
            Ok(conn.prepare_cached(&sql)?.query_row((Col(*payment), number), attempt).optional()?)
        })
    }

    /// The parts of one attempt of a payment, by number.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn attempt_parts(&self, payment: &PaymentId, number: u32) -> Result<Vec<PartRow>, StoreError> {
        let sql = format!("SELECT {PART} FROM parts WHERE payment = ?1 AND attempt = ?2 ORDER BY number");
        self.readers.read(|conn| all(conn, &sql, (Col(*payment), number), part))
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
    use sponte_proto::{Msat, Timestamp};
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
    }
}
