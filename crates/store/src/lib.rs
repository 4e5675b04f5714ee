//! The memory of a sponte node: one writer, one transaction per batch.
//!
//! A [`Store`] is a folder: `sponte.db` (SQLite, write-ahead log) and `lock`, which keeps a
//! second process out. What the engine and a backend want written comes as a
//! [`Transaction`](sponte_engine::commit::Transaction) to a [`Writer`]; everything that waits
//! goes into one SQLite transaction, and each submission is told of its end in order, after the
//! commit is on the disk. Every reader reads a [`Ledger`], which sees committed rows only and
//! never blocks the writer.
//!
//! The only crate of the workspace that names SQL. It decides nothing: it keeps rows and the
//! balances that follow from them, and refuses what cannot be true (a transfer of nothing, one
//! key with two meanings, a balance beyond the range).
//!
//! After a failed commit nothing is written any more: the caller stops the process, and the
//! next start finds what was durable.
//!
//! ```
//! use sponte_engine::commit::Transaction;
//! use sponte_store::{Options, Store};
//!
//! # let dir = tempfile::tempdir()?;
//! let store = Store::open(dir.path(), Options { create: true, ..Options::default() })?;
//! let mut transaction = Transaction::default();
//! transaction.kv.put("wallet", "tip", vec![1, 2, 3]);
//! store.writer().submit(transaction, Box::new(|end| { end.expect("the disk has room"); }));
//! store.close()?;
//!
//! let store = Store::open(dir.path(), Options::default())?;
//! assert_eq!(store.kv("wallet")?, [("tip".to_owned(), vec![1, 2, 3])]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apply;
mod books;
mod check;
mod checkpoint;
mod codec;
mod columns;
mod error;
mod failpoints;
mod folder;
mod hints;
mod ledger;
mod lookups;
mod payments;
mod power_loss;
mod queue;
mod readers;
mod receive;
mod schema;
mod snapshot;
mod store;
mod transfers;
mod waiting;
mod writer;

pub use books::BooksError;
pub use error::{OpenError, StoreError};
pub use failpoints::Failpoints;
pub use folder::{DATABASE, is_in_use};
pub use ledger::{Cursor, CursorError, Ledger, Page, StoredEvent};
pub use payments::PaymentsQuery;
pub use power_loss::cut_unsynced;
pub use receive::CounterKey;
pub use store::{Options, Store};
pub use transfers::{AccountBalance, TransfersQuery};
pub use writer::{Commit, Completion, Writer};
