//! Offers (BOLT 12) of others: read, and their issuers asked for invoices.
//!
//! `ChannelManager` has no part in it, so that LDK remembers no payment which would have to be
//! reconciled after a crash: an invoice is requested with LDK's own types and over its messenger, and
//! given to the engine, which pays it as it pays any other. A question lives in memory: whoever asked
//! asks again.

mod answers;
mod ask;
mod dials;
mod limit;
mod read;
mod ways;

pub(crate) use answers::Answers;
pub(crate) use ask::Asks;
pub(crate) use limit::Limited;
pub(crate) use read::{is_offer, read_offer};

use crate::Ldk;

impl Ldk {
    /// What LDK's messenger wants done every ten seconds: it drops what waits for connections that
    /// nobody makes.
    pub(crate) fn tick_messages(&self) {
        use lightning::events::EventsProvider as _;
        use lightning::ln::msgs::OnionMessageHandler as _;
        let messages = &self.node.messages;
        messages.inner().process_pending_events(&|_| Ok(()));
        messages.timer_tick_occurred();
    }
}
