//! Closed channels whose funding transaction was never seen.
//!
//! Whoever opens a channel may be killed before the funding leaves, and then forgets the channel.
//! We would bump the fee of a commitment transaction that spends nothing, with our own coins; and
//! if the channel was to give us something, wait for it as long as we live.

use crate::Ldk;
use crate::chain::Presence;
use crate::convert::channel_id;
use bitcoin::OutPoint;
use lightning::chain::channelmonitor::Balance;
use lightning::events::bump_transaction::BumpTransactionEvent;
use sponte_proto::ChannelId;
use std::collections::HashSet;
use std::sync::Arc;

/// How long after its end such a channel is given up: as long as BOLT 2 ("The `funding_signed`
/// Message") lets a fundee wait for a funding transaction.
const GIVEN_UP_AFTER: u32 = 2016;

/// What is known of the fundings of closed channels.
#[derive(Default)]
pub(crate) struct Fundings {
    confirmed: HashSet<ChannelId>,
    /// Asked for, and not answered.
    asked: HashSet<(Purpose, ChannelId)>,
}

/// What a funding is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Purpose {
    Bump,
    GiveUp,
}

impl Ldk {
    /// Pays a miner for a transaction of a closed channel, if its funding is in the chain and no
    /// cooperative close is on its way. LDK asks again within half a minute for what is not paid.
    pub(crate) fn bump(&mut self, event: BumpTransactionEvent) {
        let funding = funding_of(&event);
        if funding.is_some_and(|(id, _)| self.closes_cooperatively(id)) {
            return;
        }
        match funding.filter(|(id, _)| !self.closed_fundings.confirmed.contains(id)) {
            None => self.make_bump(&event),
            Some((id, funding)) => self.look_for_funding(Purpose::Bump, id, funding, move |ldk, presence| {
                if presence == Presence::Confirmed {
                    ldk.closed_fundings.confirmed.insert(id);
                    ldk.make_bump(&event);
                }
            }),
        }
    }

    /// A bump for which there were no coins is not made, and asked for again.
    fn make_bump(&mut self, event: &BumpTransactionEvent) {
        let height = self.node.manager.current_best_block().height;
        if !self.bumps.wants(event, height) {
            return;
        }
        let before = self.node.broadcaster.waiting();
        self.node.bumper.handle_event(event);
        if self.node.broadcaster.waiting() > before {
            self.bumps.note(event, height);
        }
    }

    /// After a block: asks whether the fundings of channels that ended long ago exist.
    pub(crate) fn give_up_unfunded(&mut self) {
        let height = self.node.manager.current_best_block().height;
        for (id, funding) in self.closing.older_than(height.saturating_sub(GIVEN_UP_AFTER)) {
            if self.awaits_its_end(id) {
                let give_up = move |ldk: &mut Ldk, presence| ldk.give_up(id, funding, presence);
                self.look_for_funding(Purpose::GiveUp, id, funding, give_up);
            }
        }
    }

    /// How many closed channels are not settled, of which the funding is known to be in the chain. A
    /// bump waits for that knowledge, so whatever may need one counts.
    pub(crate) fn funded_closings(&self) -> usize {
        let seen = |id: &ChannelId| !self.claimable(*id).iter().all(waits_for_its_close);
        let funded = |id: &ChannelId| self.closed_fundings.confirmed.contains(id) || seen(id);
        self.closing.ids().filter(funded).count()
    }

    /// At the start: asks again for the fundings of closed channels.
    pub(crate) fn look_for_fundings(&mut self) {
        for (id, funding) in self.closing.older_than(u32::MAX) {
            self.look_for_funding(Purpose::Bump, id, funding, move |ldk, presence| {
                if presence == Presence::Confirmed {
                    ldk.closed_fundings.confirmed.insert(id);
                }
            });
        }
    }

    /// Nothing of it was ever seen in the chain.
    pub(crate) fn awaits_its_end(&self, id: ChannelId) -> bool {
        let balances = self.claimable(id);
        !balances.is_empty() && balances.iter().all(waits_for_its_close)
    }

    /// What spends its funding may be in a block that its monitor has not seen: then it is asked
    /// again.
    fn give_up(&mut self, id: ChannelId, funding: OutPoint, presence: Presence) {
        let Presence::Missing { height } = presence else { return };
        let seen = self.node.manager.current_best_block().height;
        if seen >= height && self.closing.knows(id) && self.awaits_its_end(id) {
            tracing::info!(channel = %id, "its funding transaction was never seen: nothing is waited for any more");
            self.discard(id, Some(funding.txid));
        }
    }

    /// Asks bitcoind, and goes on with the answer in a later step; nothing happens if it is being
    /// asked already for the same purpose, or does not answer.
    fn look_for_funding(
        &mut self,
        purpose: Purpose,
        id: ChannelId,
        funding: OutPoint,
        then: impl FnOnce(&mut Ldk, Presence) + Send + 'static,
    ) {
        if !self.closed_fundings.asked.insert((purpose, id)) {
            return;
        }
        let look = self.chain_source.look_for(funding);
        let (later, wake) = (Arc::clone(&self.later), self.waker.clone());
        self.runtime.spawn(async move {
            let found = look.await;
            let go_on = Box::new(move |ldk: &mut Ldk| {
                ldk.closed_fundings.asked.remove(&(purpose, id));
                match found {
                    Ok(presence) => then(ldk, presence),
                    Err(error) => tracing::debug!(%error, "cannot ask for a funding transaction"),
                }
            });
            later.lock().expect("no panic while it is held").push(go_on);
            wake();
        });
    }
}

/// Nothing that spends its funding was seen.
fn waits_for_its_close(balance: &Balance) -> bool {
    matches!(balance, Balance::ClaimableOnChannelClose { .. })
}

/// Of a channel whose commitment transaction is not confirmed yet; an HTLC's is.
fn funding_of(event: &BumpTransactionEvent) -> Option<(ChannelId, OutPoint)> {
    let BumpTransactionEvent::ChannelClose { channel_id: id, commitment_tx, .. } = event else { return None };
    Some((channel_id(*id), commitment_tx.input.first()?.previous_output))
}
