//! Whether the books agree with the channels, and the ledger with itself.

use serde::{Deserialize, Serialize};

/// `GET /v1/audit`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    /// Whether nothing differs.
    pub clean: bool,
    /// One line per comparison.
    pub lines: Vec<AuditLine>,
    /// All accounts of the books.
    pub accounts: Vec<AccountBalance>,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// How it ended.
    pub verdict: Verdict,
    /// What was compared with what, for people.
    pub text: String,
}

/// How a comparison ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Both sides say the same.
    Agrees,
    /// They do not.
    Differs,
    /// There is no one right number now, for example while a channel has HTLCs.
    NotNow,
}

/// An account of the books. What is posted sums to zero over all accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountBalance {
    /// Its name; of a channel `channel/` and its id.
    pub account: String,
    /// Credits less debits of what is final.
    pub posted_msat: i64,
    /// Credits of what is pending.
    pub pending_in_msat: i64,
    /// Debits of what is pending.
    pub pending_out_msat: i64,
}
