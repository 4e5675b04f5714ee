//! The chain that nodes are on.

mod coins;
mod fees;
mod on_bitcoind;
mod raw;

use bitcoin::{Address, Amount, BlockHash, FeeRate, Txid};
use on_bitcoind::OnBitcoind;
use sponte_chain::{RunningServer, Server, ServerConfig};
use sponte_ldk::chain::{RpcAuth, RpcConfig};
use sponte_peers::Bitcoind;
use std::sync::Arc;

/// A regtest chain with a faucet on it, behind bitcoind's JSON-RPC. Clones are the same chain; the
/// last one ends it.
#[derive(Clone)]
pub struct Chain(Kind);

#[derive(Clone)]
enum Kind {
    Private(Arc<RunningServer>),
    Bitcoind(Arc<OnBitcoind>),
}

impl Chain {
    /// A new private chain.
    ///
    /// # Panics
    /// There is no port.
    pub async fn private() -> Chain {
        let server = Server::start(ServerConfig::default()).await.expect("loopback has a free port");
        Chain(Kind::Private(Arc::new(server)))
    }

    /// A new chain of a new bitcoind.
    ///
    /// # Panics
    /// As [`Bitcoind::start`].
    pub async fn on_bitcoind() -> Chain {
        Chain::of(Bitcoind::start().await).await
    }

    /// A new chain of a bitcoind that has none yet.
    ///
    /// # Panics
    /// It does not answer.
    pub async fn of(bitcoind: Bitcoind) -> Chain {
        Chain(Kind::Bitcoind(Arc::new(OnBitcoind::on(bitcoind).await)))
    }

    /// The bitcoind, if it is on one.
    pub fn bitcoind(&self) -> Option<&Bitcoind> {
        match &self.0 {
            Kind::Private(_) => None,
            Kind::Bitcoind(chain) => Some(chain.bitcoind()),
        }
    }

    /// How a node reaches it.
    pub fn rpc_config(&self) -> RpcConfig {
        let (url, user, password) = match &self.0 {
            Kind::Private(server) => (server.url(), server.user(), server.password()),
            Kind::Bitcoind(chain) => {
                let rpc = chain.bitcoind().rpc();
                (rpc.url().into(), rpc.user(), rpc.password())
            }
        };
        RpcConfig::new(url, RpcAuth::Password { user: user.into(), password: password.into() })
    }

    /// Mines blocks, one after the other.
    pub async fn mine(&self, blocks: u32) {
        match &self.0 {
            Kind::Private(server) => {
                server.chain().mine(blocks).expect("the chain takes its own blocks");
            }
            Kind::Bitcoind(chain) => chain.mine(blocks).await,
        }
    }

    /// Sends from the faucet to an address; the transaction waits in the mempool.
    ///
    /// # Panics
    /// The faucet has not enough.
    pub async fn send(&self, address: &Address, amount: Amount) -> Txid {
        match &self.0 {
            Kind::Private(server) => server.chain().send(address, amount).expect("the faucet has enough"),
            Kind::Bitcoind(chain) => {
                let sent = chain.send(address.script_pubkey(), amount).await;
                sent.expect("the faucet has enough").txid
            }
        }
    }

    /// The height of the tip.
    pub async fn height(&self) -> u32 {
        match &self.0 {
            Kind::Private(server) => server.chain().height(),
            Kind::Bitcoind(chain) => chain.tip().await.expect("it answers").1,
        }
    }

    /// The hash of the tip.
    pub async fn tip_hash(&self) -> BlockHash {
        match &self.0 {
            Kind::Private(server) => server.chain().tip_hash(),
            Kind::Bitcoind(chain) => chain.tip().await.expect("it answers").0,
        }
    }

    /// The ids of all waiting transactions, in no order.
    pub async fn mempool_txids(&self) -> Vec<Txid> {
        match &self.0 {
            Kind::Private(server) => server.chain().mempool_txids(),
            Kind::Bitcoind(chain) => chain.mempool_txids().await,
        }
    }

    /// Empties the mempool, as the restart of a node that does not keep it; bitcoind is restarted.
    pub async fn forget_mempool(&self) {
        match &self.0 {
            Kind::Private(server) => server.chain().forget_mempool(),
            Kind::Bitcoind(chain) => chain.bitcoind().restart().await,
        }
    }

    /// Takes a block and all that stand on it off the active branch.
    ///
    /// # Panics
    /// No such block exists.
    pub async fn invalidate(&self, hash: &BlockHash) {
        match &self.0 {
            Kind::Private(server) => server.chain().invalidate(hash).expect("the block is known"),
            Kind::Bitcoind(chain) => chain.invalidate(hash).await,
        }
    }

    /// Makes the chain estimate this feerate for every target. bitcoind estimates what was paid: so
    /// many blocks are mined full of transactions that paid it.
    pub async fn estimate_fee(&self, rate: FeeRate) {
        match &self.0 {
            Kind::Private(server) => server.chain().lock().chain_mut().set_estimated_fee(Some(rate)),
            Kind::Bitcoind(chain) => chain.estimate_fee(rate).await,
        }
    }

    /// Fills the mempool of a bitcoind with what pays this feerate, until it asks for more: it should
    /// be a small one (`-maxmempool=5`).
    ///
    /// # Panics
    /// It is not on a bitcoind, or that has room for all of it.
    pub async fn crowd(&self, rate: FeeRate) {
        match &self.0 {
            Kind::Private(_) => panic!("the mempool of the private chain does not overflow"),
            Kind::Bitcoind(chain) => chain.crowd(rate).await,
        }
    }
}
