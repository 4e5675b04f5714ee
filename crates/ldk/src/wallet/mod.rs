//! The on-chain wallet: coins of a BIP84 account, watched, counted and spent with BDK.
//!
//! It never does I/O. Blocks come in through [`Listen`](lightning::chain::Listen), mempool
//! transactions through [`Wallet::apply_mempool`]; what must be durable goes out through
//! [`Wallet::take_writes`], and belongs into the same commit as the rest of the step; what
//! changed for the books goes out through [`Wallet::poll_changes`], before that.
//!
//! It knows no clock: among transactions that conflict, the one that was handed in last wins,
//! and a block beats both. Its randomness (which coins, which place for the change) is derived
//! from the seed and from that order, so the same history makes the same transactions.
//!
//! All methods take `&self`, as LDK's traits want; one thread drives it.
//!
//! # Addresses
//! At most [`GAP`] addresses of a keychain in a row are handed out without one being used, then
//! they come round again: so a wallet restored from its seed, which looks [`LOOKAHEAD`]
//! addresses ahead, finds every coin.

mod blocks;
mod books;
mod build;
mod bump;
mod classify;
mod coins;
mod journal;
mod keys;
mod mempool;
mod record;
mod spend;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard};

use bdk_wallet::KeychainKind;
use bdk_wallet::chain::{BlockId, CheckPoint};
use bitcoin::{BlockHash, Network, OutPoint, ScriptBuf};
use lightning::chain::BlockLocator;
use sponte_engine::backend::WalletTx;
use sponte_engine::commit::KvEntry;
use sponte_proto::{ChannelId, Sat};

use crate::seed::Seed;
use blocks::Blocks;
use books::Books;
use journal::Journal;
use keys::Keys;

pub use coins::{RESERVE_PER_ANCHOR_CHANNEL, RESERVED_ANCHOR_CHANNELS, reserve_for};
pub use spend::{Payout, SentCoins};

/// The namespace of the wallet's keys.
pub const NAMESPACE: &str = "wallet";

/// So many addresses of a keychain may wait for their first use.
pub const GAP: u32 = 100;

/// So many addresses behind the last used one are watched.
pub const LOOKAHEAD: u32 = 200;

/// After so many confirmations a transaction counts as final (LDK's `ANTI_REORG_DELAY`).
pub const FINAL_DEPTH: u32 = lightning::chain::channelmonitor::ANTI_REORG_DELAY;

/// The on-chain wallet of a node.
pub struct Wallet {
    state: Mutex<State>,
}

struct State {
    bdk: bdk_wallet::Wallet,
    keys: Keys,
    blocks: Blocks,
    books: Books,
    journal: Journal,
    /// The order of what was handed in, in BDK's place for seconds; see [`State::tick`].
    clock: u64,
    /// The unused address of each keychain that is handed out next when [`GAP`] wait.
    rounds: [u32; 2],
}

/// Why a wallet cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// It was made with other words, or for another network.
    #[error("this wallet belongs to another seed or network: use the seed file it was made with")]
    Foreign,
    /// A later version of the program wrote it.
    #[error("the wallet has format {0}, which is newer than this program: update the program")]
    Newer(String),
    /// Bytes that make no sense.
    #[error("the wallet's data is damaged at key {key} ({why})")]
    Damaged {
        /// Which key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Wallet {
    /// Opens the wallet whose writes, as left by [`Wallet::take_writes`], are `entries` (in any
    /// order), or makes a new one if there are none. A new one starts behind `birthday`, the
    /// height and hash of a block before its first transaction; without it, at the genesis.
    ///
    /// # Errors
    /// The entries are of another seed or network, newer, or damaged.
    pub fn create_or_load(
        seed: &Seed,
        network: Network,
        entries: Vec<(String, Vec<u8>)>,
        birthday: Option<(u32, BlockHash)>,
    ) -> Result<Wallet, WalletError> {
        let new = entries.is_empty();
        let loaded = journal::load(seed, network, entries)?;
        let blocks = Blocks::from_tip(&loaded.bdk.latest_checkpoint());
        let mut state = State {
            bdk: loaded.bdk,
            keys: Keys::new(seed, network),
            blocks,
            books: loaded.books,
            journal: loaded.journal,
            clock: loaded.clock,
            rounds: [0; 2],
        };
        if let (true, Some((height, hash))) = (new, birthday) {
            state.start_behind(height, hash);
        }
        state.absorb();
        state.open_books();
        Ok(Wallet { state: Mutex::new(state) })
    }

    /// The block up to which the wallet knows the chain, with up to twelve before it: later ones
    /// are to be connected, and none that are not its descendants before a disconnection.
    pub fn best_block(&self) -> BlockLocator {
        self.lock().blocks.locator()
    }

    /// What the commit of this step must make durable, in [`NAMESPACE`].
    pub fn take_writes(&self) -> Vec<KvEntry> {
        let mut state = self.lock();
        let state = &mut *state;
        let mut writes = state.books.take_writes();
        writes.extend(state.journal.take_writes(&state.bdk));
        writes
    }

    /// Transactions that began or ceased to count, or became final, since the last call; each
    /// change once. The sum of what is seen or confirmed is [`Wallet::total`], exactly.
    pub fn poll_changes(&self) -> Vec<WalletTx> {
        self.lock().poll_changes()
    }

    /// Says that `outpoint` is `value` of a closed channel, about to be swept into the wallet.
    /// Idempotent; to be called before the sweep is seen.
    pub fn note_spendable(&self, channel: ChannelId, outpoint: OutPoint, value: Sat) {
        self.lock().note(channel, outpoint, Some(value));
    }

    /// Says that `outpoint` belongs to a channel: its funding, an anchor, an HTLC. What comes
    /// from it without a coin of ours is a sweep, what spends it next to one is a bump.
    pub fn note_channel_output(&self, channel: ChannelId, outpoint: OutPoint) {
        self.lock().note(channel, outpoint, None);
    }

    /// An address that is handed out now; see the module's page for when one comes again.
    pub fn new_address(&self) -> String {
        let mut state = self.lock();
        let script = state.fresh_script(KeychainKind::External);
        let address = bitcoin::Address::from_script(&script, state.bdk.network());
        address.expect("a witness program has an address").to_string()
    }

    /// A script of the wallet that no one was told, for sweeps and change.
    pub fn change_script(&self) -> ScriptBuf {
        self.lock().fresh_script(KeychainKind::Internal)
    }

    /// Every script that the wallet looks for, the [`LOOKAHEAD`] included. Spends of its coins
    /// are not found by scripts; [`Wallet::is_relevant`] knows both.
    pub fn watched_scripts(&self) -> Vec<ScriptBuf> {
        self.lock().bdk.spk_index().inner().all_spks().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the wallet")
    }
}

impl State {
    /// The place of a new observation in the order of all: later than any before.
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Takes what BDK staged: to the journal, and to the books what they have to look at again.
    fn absorb(&mut self) {
        if let Some(changes) = self.bdk.take_staged() {
            self.books.touch_changed(&changes);
            self.journal.stage(changes);
        }
    }

    fn start_behind(&mut self, height: u32, hash: BlockHash) {
        if height == 0 {
            return;
        }
        let genesis = self.blocks.tip();
        let chain = CheckPoint::from_block_ids([genesis, BlockId { height, hash }])
            .expect("the genesis lies below any other height");
        let update = bdk_wallet::Update { chain: Some(chain), ..Default::default() };
        self.bdk.apply_update(update).expect("a chain of one block takes any block above it");
        self.blocks.connect(height, hash, None);
    }

    /// The next script of a keychain: a new one, unless [`GAP`] are waiting to be used already.
    fn fresh_script(&mut self, keychain: KeychainKind) -> ScriptBuf {
        let index = self.bdk.spk_index();
        let first_unused = index.last_used_index(keychain).map_or(0, |used| used + 1);
        let next = self.bdk.next_derivation_index(keychain);
        let round = &mut self.rounds[usize::from(keychain == KeychainKind::Internal)];
        let script = if next.saturating_sub(first_unused) < GAP {
            self.bdk.reveal_next_address(keychain).script_pubkey()
        } else {
            *round = (*round + 1) % GAP;
            self.bdk.peek_address(keychain, first_unused + *round).script_pubkey()
        };
        self.absorb();
        script
    }
}
