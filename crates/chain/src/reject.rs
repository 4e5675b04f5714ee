//! Why a transaction or a block was refused, in the words of bitcoind.

use std::fmt;

use bitcoin::BlockHash;

/// A reason as bitcoind prints it: a fixed word, and what makes this case particular.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    word: &'static str,
    detail: String,
}

impl Reason {
    /// A reason that needs no further words.
    pub fn new(word: &'static str) -> Self {
        Self { word, detail: String::new() }
    }

    /// A reason with the facts of this case.
    pub fn with(word: &'static str, detail: impl Into<String>) -> Self {
        Self { word, detail: detail.into() }
    }

    /// The fixed word, such as `bad-txns-in-belowout`.
    pub fn word(&self) -> &'static str {
        self.word
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)?;
        if !self.detail.is_empty() {
            write!(f, ", {}", self.detail)?;
        }
        Ok(())
    }
}

/// Why a transaction did not enter the mempool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TxRejected {
    /// It spends an output that does not exist or is spent: it may be valid later, or never.
    #[error("bad-txns-inputs-missingorspent")]
    MissingInputs,
    /// It is in the chain already, and one of its outputs is still unspent.
    #[error("Transaction outputs already in utxo set")]
    AlreadyInChain,
    /// The very same transaction waits in the mempool.
    #[error("txn-already-in-mempool")]
    AlreadyInMempool,
    /// It breaks a rule of consensus or of relay.
    #[error("{0}")]
    Refused(Reason),
}

impl TxRejected {
    /// The fixed word of the refusal, such as `insufficient fee`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::MissingInputs => "bad-txns-inputs-missingorspent",
            Self::AlreadyInChain => "Transaction outputs already in utxo set",
            Self::AlreadyInMempool => "txn-already-in-mempool",
            Self::Refused(reason) => reason.word(),
        }
    }
}

impl From<Reason> for TxRejected {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

/// Why a block is not part of the block tree, or not of a chain that may become active.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockRejected {
    /// The block is known already.
    #[error("duplicate")]
    Duplicate,
    /// The block is known already and is invalid.
    #[error("duplicate-invalid")]
    DuplicateInvalid,
    /// Its parent is not known.
    #[error("prev-blk-not-found")]
    UnknownParent,
    /// Its parent is invalid.
    #[error("bad-prevblk")]
    InvalidParent,
    /// It breaks a rule of consensus.
    #[error("{0}")]
    Invalid(Reason),
}

impl From<Reason> for BlockRejected {
    fn from(reason: Reason) -> Self {
        Self::Invalid(reason)
    }
}

/// A block hash that names no block of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {0} is not known")]
pub struct UnknownBlock(pub BlockHash);
