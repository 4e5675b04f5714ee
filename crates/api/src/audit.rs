//! Whether the books agree with the channels, and the ledger with itself.

use serde::{Deserialize, Serialize};

/// `GET /v1/audit`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    /// Whether nothing was found.
    pub clean: bool,
    /// What does not agree.
    pub findings: Vec<Finding>,
    /// Balances of all accounts, signed msat; their sum is zero.
    pub accounts: Vec<AccountBalance>,
    /// How many channels were compared with their account. Those with HTLCs pending and those
    /// that are closing have no exact balance to compare with.
    pub channels_checked: u32,
}

/// Something that does not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What, for people.
    pub message: String,
}

/// An account of the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountBalance {
    /// Its name; of a channel `channel/` and its id.
    pub account: String,
    /// What is posted, debits negative.
    pub posted_msat: i64,
    /// What pending transfers would change.
    pub pending_msat: i64,
}
