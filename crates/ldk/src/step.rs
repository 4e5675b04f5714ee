//! One step: LDK's half of `poll`, `execute`, `seal`, `committed`.

use crate::chain::{ChainEvent, Package, for_whole_vbytes};
use crate::convert::{channel_id, ldk_preimage, txid};
use crate::persist::STATE;
use crate::wallet::Payout;
use crate::{Ldk, Uncommitted};
use bitcoin::{Block, FeeRate};
use lightning::chain::{BlockLocator, Listen};
use lightning::events::{Event, EventsProvider, ReplayEvent};
use lightning::util::ser::Writeable;
use sponte_engine::backend::{
    Admin, Backend, BackendEvent, CoinsSent, Command, Recovered, Refusal, RefusalKind, Sealed, SendCoins,
    WalletTxState,
};
use sponte_proto::BlockHeight;
use std::cell::RefCell;

/// The channel manager, by name in the state's namespace.
pub(crate) const MANAGER: &str = "manager";

/// Blocks taken in one poll: a long catch-up commits in between.
const BLOCKS_PER_POLL: usize = 16;

/// Within so many blocks a withdrawal should confirm.
const SEND_BLOCKS: u16 = 6;

impl Backend for Ldk {
    fn poll(&mut self) -> Vec<BackendEvent> {
        let _runtime = self.runtime.clone();
        let _context = _runtime.enter();
        self.take_chain_events();
        self.drive_connections();
        self.begin_closes();
        self.drive_asks();
        let later = std::mem::take(&mut *self.later.lock().expect("no panic while it is held"));
        later.into_iter().for_each(|work| work(self));
        self.tick();
        if self.node.manager.needs_pending_htlc_processing() {
            self.node.manager.process_pending_htlc_forwards();
        }
        self.take_ldk_events();
        self.archive_resolved();
        self.node.peers.process_events();
        if self.release_shutdowns() {
            self.node.peers.process_events();
        }
        self.take_wallet_events();
        self.note_usable();
        let height = self.height();
        if std::mem::replace(&mut self.told_height, height) != height {
            self.events.push(BackendEvent::Block(height));
        }
        self.answer_routes();
        std::mem::take(&mut self.events)
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Route(request) => self.route_queue.push(request),
            Command::Send(send) => self.send(&send),
            Command::Claim(hash, preimage) => {
                self.waiting.remove(&hash);
                self.claims.insert(hash);
                // Even record types pass: the ledger keeps all, and the engine has accepted.
                self.node.manager.claim_funds_with_known_custom_tlvs(ldk_preimage(&preimage));
            }
            Command::Fail(hash, fail_as) => self.fail_incoming(hash, fail_as),
            Command::Accept(kinds) => self.announce_due |= self.interpreter().accept(kinds),
        }
    }

    fn admin(&mut self, request: Admin) {
        let _runtime = self.runtime.clone();
        let _context = _runtime.enter();
        match request {
            Admin::Connect(id, address, reply) => self.connect(&id, address, reply),
            Admin::Disconnect(id, reply) => self.disconnect(&id, reply),
            Admin::OpenChannel(request, reply) => self.open_channel(request, reply),
            Admin::CloseChannel { channel, force, reply } => self.close_channel(channel, force, reply),
            Admin::Address(reply) => {
                let address = self.node.wallet.new_address();
                self.watch_wallet();
                reply(Ok(address));
            }
            Admin::SendCoins(request, reply) => reply(self.send_coins(&request)),
            Admin::Info(reply) => reply(Ok(self.info())),
            Admin::Channels(reply) => reply(Ok(self.channel_list())),
            Admin::Peers(reply) => reply(Ok(self.peer_list())),
            Admin::Balance(reply) => reply(Ok(self.wallet_balance())),
            Admin::Invoice(request, reply) => reply(self.make_invoice(&request)),
            Admin::AmpInvoice(request, reply) => reply(self.sign_amp_invoice(&request)),
            Admin::ReadPayable(text, reply) => reply(self.read_payable(&text)),
            Admin::FetchInvoice(request, reply) => self.fetch_invoice(&request, reply),
        }
    }

    fn recovered(&mut self) -> Result<Recovered, Refusal> {
        // What may pass is waited for inside: this is what needs a person.
        self.catch_up_manager().map_err(|error| Refusal::new(RefusalKind::Unavailable, error.to_string()))?;
        let inbound = self.recover_incoming().into_iter().collect();
        let parts = self.recover_parts();
        Ok(Recovered { parts, inbound, height: self.height() })
    }

    fn seal(&mut self) -> Option<Sealed> {
        if self.route_queue.end_step() {
            // The others are answered in the next step.
            (self.waker)();
        }
        self.seal_manager();
        // After the manager: what a peer's thread makes it broadcast meanwhile must not be missing
        // beside a manager that has let go of it.
        let packages = self.node.broadcaster.take();
        self.note_transactions(packages.iter().flat_map(|package| package.transactions()));
        self.note_cooperative_closes(&packages);
        self.node.persister.extend(self.node.wallet.take_writes());
        let (kv, completions) = self.node.persister.take();
        if kv.entries.is_empty() && completions.is_empty() && packages.is_empty() {
            return None;
        }
        self.sealed += 1;
        let number = self.sealed;
        self.uncommitted.push_back(Uncommitted { number, completions, packages });
        Some(Sealed { number, kv })
    }

    fn committed(&mut self, number: u64) {
        let _runtime = self.runtime.clone();
        let _context = _runtime.enter();
        while self.uncommitted.front().is_some_and(|step| step.number <= number) {
            let step = self.uncommitted.pop_front().expect("it has a front");
            for done in step.completions {
                // Of one that has closed meanwhile `funding_signed` is never asked for.
                if done.first && self.has_channel(done.channel) {
                    self.node.handler.first_monitor_durable(done.channel);
                }
                if let Err(error) = self.node.monitor.channel_monitor_updated(done.channel, done.update) {
                    tracing::error!(?error, channel = %done.channel, "LDK does not know a monitor that it wrote");
                }
            }
            self.node.broadcaster.release(step.packages);
        }
        self.node.peers.process_events();
    }

    fn start(&mut self) {
        let _runtime = self.runtime.clone();
        let _context = _runtime.enter();
        self.started = true;
        self.apply_settings();
        self.forget_gone_htlcs();
        self.watch_wallet();
        self.rebroadcast_wallet();
        self.announce_cooperative_closes();
        self.look_for_fundings();
        self.listen();
        self.drive_connections();
        (self.waker)();
    }

    fn stop(&mut self) {
        let _runtime = self.runtime.clone();
        let _context = _runtime.enter();
        self.started = false;
        for task in self.tasks.drain(..) {
            task.abort();
        }
        self.peers.hang_up();
        self.node.peers.disconnect_all_peers();
        self.write_gossip();
        self.manager_due = true;
    }
}

impl Ldk {
    /// A monitor newer than its manager is a force-close on load: so the updates are counted,
    /// then the manager is encoded, and only those that were counted are written with it. It may
    /// know later ones too, as long as their monitors are not new.
    fn seal_manager(&mut self) {
        let no_new_monitor = self.node.handler.hold_fundings();
        let updates = self.node.monitor.pending_operation_count();
        if self.node.handler.monitors_leave_queue() {
            // Blocks wait for that.
            (self.waker)();
        }
        let changed = self.node.manager.get_and_clear_needs_persistence();
        if updates > 0 || changed || std::mem::take(&mut self.manager_due) {
            self.node.persister.put(STATE, MANAGER, self.node.manager.encode());
            drop(no_new_monitor);
            // Of every HTLC that this manager knows.
            self.node.persister.write(|batch| self.interpreter().write(batch));
            self.node.monitor.flush(updates, &self.node.log);
        }
    }

    pub(crate) fn height(&self) -> BlockHeight {
        BlockHeight::new(self.node.manager.current_best_block().height)
    }

    fn has_channel(&self, id: lightning::ln::types::ChannelId) -> bool {
        self.node.manager.list_channels().iter().any(|channel| channel.channel_id == id)
    }

    /// Channels keep the settings that they were opened with: those that may change take today's.
    fn apply_settings(&self) {
        let wanted = self.config.user_config().channel_config;
        for channel in self.node.manager.list_channels() {
            if channel.config == Some(wanted) {
                continue;
            }
            let (id, peer) = (channel.channel_id, channel.counterparty.node_id);
            if let Err(error) = self.node.manager.update_channel_config(&peer, &[id], &wanted) {
                tracing::warn!(channel = %id, ?error, "the channel keeps its former fees and limits");
            }
        }
    }

    /// Tells which channels came back: payments may wait for them.
    fn note_usable(&mut self) {
        if !self.node.handler.take_reestablished() && !self.ticks.usable_due() {
            return;
        }
        let usable =
            self.node.manager.list_usable_channels().iter().map(|c| channel_id(c.channel_id)).collect();
        let before = std::mem::replace(&mut self.usable, usable);
        self.events.extend(self.usable.difference(&before).map(|id| BackendEvent::ChannelUsable(*id)));
    }

    fn next_chain_event(&mut self) -> Option<ChainEvent> {
        let (thread, events) = self.feed.as_mut().filter(|_| self.started)?;
        let next = events.try_next();
        // It ends only when its queue is dropped: a node that sees no blocks must not go on.
        assert!(next.is_some() || !thread.is_finished(), "the thread that follows the chain has ended");
        next
    }

    /// Tells the chain thread which transactions of the mempool concern the wallet.
    pub(crate) fn watch_wallet(&mut self) {
        let watched = self.chain_source.watched();
        watched.watch_scripts(self.node.wallet.watched_scripts());
        let evictable = self.node.wallet.evictable();
        watched.forget_txids(self.watched_txids.iter().filter(|txid| !evictable.contains(txid)));
        watched.watch_txids(evictable.iter().copied());
        self.watched_txids = evictable;
    }

    /// What the wallet sent, long ago perhaps, and no block has.
    pub(crate) fn rebroadcast_wallet(&self) {
        for tx in self.node.wallet.to_rebroadcast() {
            self.node.broadcaster.broadcast(Package::new(vec![(*tx).clone()], "rebroadcast"));
        }
    }

    fn send_coins(&mut self, request: &SendCoins) -> Result<CoinsSent, Refusal> {
        let asked = request.fee_per_kvb.map(|fee| FeeRate::from_sat_per_kwu(fee.to_sat().div_ceil(4)));
        let usual = self.node.fees.for_blocks(SEND_BLOCKS);
        relayed(asked.unwrap_or(usual), self.node.fees.least())?;
        // The mempool may ask for just this, and what we know of it may be from before.
        let rate = asked.map_or(usual, for_whole_vbytes).max(self.node.fees.sure());
        let payout = request.amount.map_or(Payout::All, Payout::Exactly);
        let sent = self.node.wallet.send(&request.address, payout, rate, self.reserve(0))?;
        self.node.broadcaster.broadcast(Package::new(vec![sent.tx.clone()], "withdrawal"));
        self.watch_wallet();
        Ok(CoinsSent { txid: txid(sent.tx.compute_txid()), amount: sent.amount, fee: sent.fee })
    }

    /// Blocks go to all who watch, in order; each gets every block. A new monitor must be with the others
    /// first, which it is once this step is sealed.
    fn take_chain_events(&mut self) {
        let handler = self.node.handler.clone();
        for _ in 0..BLOCKS_PER_POLL {
            let no_new_monitor = handler.hold_fundings();
            if handler.has_monitor_queued() {
                return;
            }
            let Some(event) = self.next_chain_event() else { return };
            match &event {
                ChainEvent::BlockConnected { block, height } => self.connect_block(block, *height),
                ChainEvent::Disconnected { fork_point } => self.disconnect_blocks(**fork_point),
                _ => {}
            }
            drop(no_new_monitor);
            self.follow(event);
        }
        // More may wait; it is taken after this step's commit is on its way.
        (self.waker)();
    }

    fn connect_block(&self, block: &Block, height: u32) {
        self.node.wallet.block_connected(block, height);
        self.recovery.block_connected(block, height);
        self.node.monitor.block_connected(block, height);
        self.node.manager.block_connected(block, height);
        self.node.sweeper.block_connected(block, height);
    }

    fn disconnect_blocks(&self, fork_point: BlockLocator) {
        self.node.wallet.blocks_disconnected(fork_point);
        self.recovery.blocks_disconnected(fork_point);
        self.node.monitor.blocks_disconnected(fork_point);
        self.node.manager.blocks_disconnected(fork_point);
        self.node.sweeper.blocks_disconnected(fork_point);
    }

    /// What follows from an event that all who watch have seen.
    fn follow(&mut self, event: ChainEvent) {
        match event {
            ChainEvent::BlockConnected { block, .. } => {
                self.note_transactions(block.txdata.iter());
                self.chain_moved();
            }
            ChainEvent::Disconnected { .. } => self.chain_moved(),
            ChainEvent::Mempool { new, gone } => {
                if self.node.wallet.apply_mempool(new, gone) {
                    self.bumps.forget();
                }
                self.watch_wallet();
            }
            ChainEvent::Tip { .. } => self.watch_wallet(),
            ChainEvent::Status(Ok(())) => {
                if std::mem::take(&mut self.chain_troubled) {
                    tracing::info!("bitcoind answers again");
                }
            }
            ChainEvent::Status(Err(error)) => {
                self.chain_troubled = true;
                tracing::warn!(error, "waiting for bitcoind");
            }
        }
    }

    /// After a block or a reorg: sweeps that are due, closings that are done.
    pub(crate) fn chain_moved(&mut self) {
        self.sweep_recovered();
        let _ = self.node.sweeper.regenerate_and_broadcast_spend_if_necessary();
        self.take_ldk_events();
        self.take_wallet_events();
        self.resolve_closed();
        self.give_up_unfunded();
        self.forget_cooperative_closes();
        self.announce_due = true;
    }

    /// LDK's events, handled after it let go of its locks, in the step that took them.
    pub(crate) fn take_ldk_events(&mut self) {
        let taken = RefCell::new(Vec::new());
        let take = |event: Event| -> Result<(), ReplayEvent> {
            taken.borrow_mut().push(event);
            Ok(())
        };
        self.node.manager.process_pending_events(&take);
        self.node.monitor.process_pending_events(&take);
        for event in taken.into_inner() {
            self.handle(event);
        }
    }

    fn handle(&mut self, event: Event) {
        let rest = self.handle_payment_event(event);
        let rest = rest.and_then(|event| self.handle_opening_event(event));
        let rest = rest.and_then(|event| self.handle_closing_event(event));
        if let Some(event) = rest {
            // Probes, offers, splices: nothing that this node takes part in.
            tracing::debug!(?event, "not for us");
        }
    }

    fn take_wallet_events(&mut self) {
        for tx in self.node.wallet.poll_changes() {
            if tx.state == WalletTxState::Gone {
                tracing::warn!(txid = %tx.txid, "a transaction of the wallet was replaced or dropped");
            }
            self.events.push(BackendEvent::WalletTx(tx));
        }
    }
}

/// What bitcoind refuses would keep its coins for as long as it does.
fn relayed(rate: FeeRate, least: FeeRate) -> Result<(), Refusal> {
    if rate >= least {
        return Ok(());
    }
    let least = least.to_sat_per_kwu() as f64 / 250.0;
    let message = format!("bitcoind takes nothing below {least} sat per vbyte now: state a higher fee rate");
    Err(Refusal::new(RefusalKind::Invalid, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_below_the_mempools_minimum_is_refused_with_its_value() {
        let rate = FeeRate::from_sat_per_kwu;
        assert_eq!(relayed(rate(250), rate(250)), Ok(()));
        assert_eq!(relayed(rate(0), rate(0)), Ok(()));
        let refusal = relayed(rate(374), rate(375)).unwrap_err();
        assert!(refusal.message.contains("below 1.5 sat per vbyte"), "{}", refusal.message);
    }
}
