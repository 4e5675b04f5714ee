//! What can go wrong between us and bitcoind, each told in one line that says what to do next.

use bitcoin::BlockHash;
use lightning_block_sync::{BlockSourceError, BlockSourceErrorKind};

/// A failure of the chain side.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// A setting that cannot work.
    #[error("{0}")]
    Config(String),
    /// bitcoind refused the login.
    #[error("bitcoind at {url} refused the RPC login: check the user and password, or the cookie file")]
    WrongPassword {
        /// Where it listens.
        url: String,
    },
    /// bitcoind refused our address.
    #[error("bitcoind at {url} does not let this machine in: add its address to rpcallowip in bitcoin.conf")]
    NotAllowed {
        /// Where it listens.
        url: String,
    },
    /// bitcoind speaks for another chain than the one configured.
    #[error(
        "bitcoind's chain is \"{found}\" (its own word), and this node needs \"{wanted}\": point to another bitcoind or change the network"
    )]
    WrongNetwork {
        /// The chain's name in its `getblockchaininfo`.
        found: String,
        /// The name of ours.
        wanted: String,
    },
    /// No answer: not running, no way to it, or too slow.
    #[error("bitcoind at {url} cannot be reached ({why}): is it running with server=1?")]
    Unreachable {
        /// Where it should listen.
        url: String,
        /// The cause as the system tells it.
        why: String,
    },
    /// bitcoind is starting (RPC error -28).
    #[error("bitcoind is still starting ({message}): waiting helps")]
    WarmingUp {
        /// What it is doing.
        message: String,
    },
    /// bitcoind has not yet downloaded the chain.
    #[error("bitcoind is still syncing, block {blocks} of {headers}: waiting helps")]
    Syncing {
        /// Blocks it has.
        blocks: u32,
        /// Headers it knows.
        headers: u32,
    },
    /// bitcoind's best chain has less work than the one already followed.
    #[error(
        "bitcoind's best block is at height {height} with no more work than block {ours} that we know: it is behind, waiting helps"
    )]
    Behind {
        /// Its height.
        height: u32,
        /// Ours.
        ours: u32,
    },
    /// A block that is needed has been deleted by a pruned bitcoind.
    #[error(
        "bitcoind has pruned block {block}, which is needed: run it with prune=0 and -reindex, or use one that has it"
    )]
    Pruned {
        /// The block, by hash.
        block: BlockHash,
    },
    /// bitcoind knows none of the blocks a listener remembers.
    #[error(
        "bitcoind does not know block {block} at height {height} that this node has seen: it is behind, or on another chain"
    )]
    UnknownBlock {
        /// The listener's best block.
        block: BlockHash,
        /// Its height.
        height: u32,
    },
    /// Any other error bitcoind answered.
    #[error("bitcoind answered {method} with error {code}: {message}")]
    Rpc {
        /// The method called.
        method: String,
        /// bitcoind's code, such as -5.
        code: i64,
        /// Its words.
        message: String,
    },
    /// An answer that makes no sense.
    #[error("bitcoind's answer to {method} cannot be used ({why}): is this really bitcoind?")]
    Nonsense {
        /// The method called.
        method: String,
        /// What is wrong with it.
        why: String,
    },
}

impl ChainError {
    /// Whether waiting may help. Everything else needs a person.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::WarmingUp { .. } | Self::Syncing { .. } | Self::Behind { .. }
        )
    }

    /// bitcoind's error code, if it answered with one.
    pub(super) fn code(&self) -> Option<i64> {
        match self {
            Self::Rpc { code, .. } => Some(*code),
            _ => None,
        }
    }

    pub(super) fn nonsense(method: &str, why: impl ToString) -> Self {
        Self::Nonsense { method: method.to_owned(), why: why.to_string() }
    }
}

/// Carries our error through `lightning-block-sync`; [`from_block_source`] takes it out again.
pub(super) fn to_block_source(error: ChainError) -> BlockSourceError {
    if error.is_transient() {
        BlockSourceError::transient(error)
    } else {
        BlockSourceError::persistent(error)
    }
}

/// The reverse of [`to_block_source`]; what the library itself found wrong (proof of work, merkle
/// root, a header that does not follow) becomes [`ChainError::Nonsense`].
pub(super) fn from_block_source(error: BlockSourceError) -> ChainError {
    let persistent = error.kind() == BlockSourceErrorKind::Persistent;
    match error.into_inner().downcast::<ChainError>() {
        Ok(error) => *error,
        Err(other) => {
            debug_assert!(persistent, "our block source makes every transient error");
            ChainError::nonsense("getblock", other)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_the_way_through_the_library() {
        let error = ChainError::WarmingUp { message: "Loading block index…".into() };
        let carried = to_block_source(error.clone());
        assert_eq!(carried.kind(), BlockSourceErrorKind::Transient);
        assert_eq!(from_block_source(carried), error);

        let foreign = BlockSourceError::persistent("invalid merkle root");
        let told = from_block_source(foreign).to_string();
        assert!(told.contains("invalid merkle root"), "{told}");
    }

    #[test]
    fn every_message_is_one_line() {
        let error =
            ChainError::Unreachable { url: "http://127.0.0.1:1".into(), why: "connection refused".into() };
        assert!(!error.to_string().contains('\n'));
    }
}
