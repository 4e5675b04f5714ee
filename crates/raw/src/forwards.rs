//! HTLCs that are to be forwarded: let through, kept, or failed.

use crate::inner::Inner;
use bitcoin::secp256k1::PublicKey;
use lightning::ln::channelmanager::InterceptId;
use lightning::ln::types::ChannelId;
use lightning::util::config::HTLCInterceptionFlags;
use sponte_proto::Msat;
use std::sync::Mutex;

/// What a node does with HTLCs that it is to forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forwards {
    /// Lets them through, as LDK does.
    #[default]
    Pass,
    /// Takes them and keeps them, until something else is chosen.
    Stall,
    /// Fails them with `temporary_channel_failure`: the next channel carries no such amount.
    FailForNow,
    /// Fails them with `unknown_next_peer`.
    FailForGood,
}

/// What is done, and what is kept.
#[derive(Default)]
pub struct Keeping(Mutex<(Forwards, Vec<Kept>)>);

/// An HTLC that waits.
pub struct Kept {
    pub id: InterceptId,
    /// The next channel, as the onion names it.
    pub scid: u64,
    /// What the onion wants forwarded.
    pub amount_msat: u64,
}

impl Keeping {
    pub fn count(&self) -> usize {
        self.0.lock().expect("unpoisoned").1.len()
    }

    /// Chooses, and gives back what is to be treated by the choice.
    fn choose(&self, forwards: Forwards) -> Vec<Kept> {
        let mut state = self.0.lock().expect("unpoisoned");
        state.0 = forwards;
        if forwards == Forwards::Stall { vec![] } else { std::mem::take(&mut state.1) }
    }

    /// What to do with a new one; it is kept if that is the choice.
    fn meet(&self, kept: Kept) -> Option<(Forwards, Kept)> {
        let mut state = self.0.lock().expect("unpoisoned");
        if state.0 == Forwards::Stall {
            state.1.push(kept);
            return None;
        }
        Some((state.0, kept))
    }
}

impl Inner {
    /// From now on. What is kept follows the new choice.
    pub fn choose(&self, forwards: Forwards) {
        let kept = self.keeping.choose(forwards);
        let mut config = self.manager.get_current_config();
        // While all pass, LDK does by itself what it does.
        config.htlc_interception_flags = match forwards {
            Forwards::Pass => 0,
            _ => HTLCInterceptionFlags::ToAllKnownSCIDs as u8,
        };
        self.manager.set_current_config(config);
        kept.into_iter().for_each(|kept| self.treat(forwards, kept));
    }

    /// An HTLC that LDK does not forward by itself.
    pub fn intercepted(&self, kept: Kept) {
        if let Some((forwards, kept)) = self.keeping.meet(kept) {
            self.treat(forwards, kept);
        }
    }

    fn treat(&self, forwards: Forwards, kept: Kept) {
        // LDK asks the channel whether it can carry the amount, and fails the HTLC if not.
        let amount = match forwards {
            Forwards::Pass => Some(kept.amount_msat),
            Forwards::FailForNow => Some(Msat::MAX.to_msat()),
            Forwards::FailForGood | Forwards::Stall => None,
        };
        let next = amount.and_then(|amount| Some((self.next(kept.scid)?, amount)));
        let done = match next {
            Some(((channel, peer), amount)) => {
                self.manager.forward_intercepted_htlc(kept.id, &channel, peer, amount)
            }
            None => self.manager.fail_intercepted_htlc(kept.id),
        };
        if done.is_err() {
            let _ = self.manager.fail_intercepted_htlc(kept.id);
        }
    }

    fn next(&self, scid: u64) -> Option<(ChannelId, PublicKey)> {
        let channels = self.manager.list_channels();
        let channel = channels.iter().find(|channel| {
            let names = [channel.short_channel_id, channel.inbound_scid_alias, channel.outbound_scid_alias];
            names.contains(&Some(scid))
        })?;
        Some((channel.channel_id, channel.counterparty.node_id))
    }
}
