//! A private Bitcoin regtest chain in memory, behind the JSON-RPC of bitcoind.
//!
//! For demos and tests that need a real chain and no bitcoind. Blocks are real: merkle roots,
//! witness commitments, regtest proof of work. Every input is verified by Bitcoin Core's own
//! interpreter (`bitcoinconsensus`), and amounts, double spends, locktimes, coinbase maturity
//! and replacement by fee follow bitcoind 29.1, down to the words of its refusals;
//! only the least feerates are those of versions before it, 1 sat/vB.
//!
//! Two layers. [`Chain`] is the node without network, disk or clock: time is an argument, and
//! the same inputs make the same chain. [`Regtest`] adds a faucet that mined the first blocks.
//! [`Server`] puts it behind HTTP with basic auth, on the system's clock, and [`ChainHandle`]
//! gives the same process the same chain without HTTP.
//!
//! It never talks to other nodes, never touches the disk, and holds no money worth anything.
//! What bitcoind has and this has not: version 3 (TRUC) transactions and ephemeral dust are
//! refused, the mempool neither expires nor overflows, and scripts obey the rules of consensus
//! only, not the stricter ones of relay.
//!
//! ```
//! use bitcoin::Amount;
//! use sponte_chain::{Server, ServerConfig};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::start(ServerConfig::default()).await?;
//! println!("bitcoind's JSON-RPC on {} for {}", server.url(), server.user());
//!
//! let chain = server.chain();
//! let address = chain.lock().faucet_address();
//! let txid = chain.send(&address, Amount::from_sat(50_000))?;
//! assert_eq!(chain.mempool_txids(), [txid]);
//! chain.mine(1)?;
//! assert!(chain.mempool_txids().is_empty());
//! server.stop().await?;
//! # Ok(())
//! # }
//! ```

mod accept;
mod auth;
mod block_check;
mod block_tree;
mod chain;
mod coins;
mod connect;
mod faucet;
mod locks;
mod mempool;
mod mine;
mod policy;
mod regtest;
mod reject;
mod replacement;
mod rpc;
mod sanity;
mod scripts;
mod server;
mod spend;
mod standard;
mod time;

pub use accept::Acceptance;
pub use block_tree::BlockNode;
pub use chain::{Chain, block_subsidy};
pub use coins::Coin;
pub use faucet::FaucetError;
pub use mempool::{MempoolEntry, Package};
pub use policy::Policy;
pub use regtest::{DEFAULT_PREMINE_BLOCKS, Regtest};
pub use reject::{BlockRejected, Reason, TxRejected, UnknownBlock};
pub use server::{ChainHandle, RunningServer, Server, ServerConfig};
pub use time::UnixTime;
