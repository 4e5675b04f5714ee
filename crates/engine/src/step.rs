//! What comes of one input, gathered until the input is handled.

use crate::backend::Command;
use crate::commit::{ChangeSet, EventRow, Failure};
use crate::input::Ticket;
use crate::output::{Output, PayError, Quoted, ReceiveError};
use sponte_proto::{ChannelId, Msat, PaymentId, Timestamp};

/// What comes of one input: one change set, then the rest in order.
#[derive(Debug)]
pub(crate) struct Step {
    /// When the input came.
    pub(crate) now: Timestamp,
    /// Rows to write.
    pub(crate) changes: ChangeSet,
    after: Vec<Output>,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct About {
    pub(crate) payment: Option<PaymentId>,
    pub(crate) channel: Option<ChannelId>,
    pub(crate) amount: Option<Msat>,
}

impl Step {
    pub(crate) fn new(now: Timestamp) -> Step {
        Step { now, changes: ChangeSet::default(), after: vec![] }
    }

    /// Gives a command to the backend.
    pub(crate) fn command(&mut self, command: Command) {
        self.after.push(Output::Backend(command));
    }

    /// Answers a caller.
    pub(crate) fn reply(&mut self, ticket: Ticket, answer: Result<PaymentId, PayError>) {
        self.after.push(Output::Reply(ticket, answer));
    }

    /// Answers a caller who asked what a payment would cost.
    pub(crate) fn quote(&mut self, ticket: Ticket, answer: Result<Result<Quoted, Failure>, PayError>) {
        self.after.push(Output::Quote(ticket, answer));
    }

    /// Answers a caller who asked about payments to us.
    pub(crate) fn answer(&mut self, ticket: Ticket, answer: Result<(), ReceiveError>) {
        self.after.push(Output::Answer(ticket, answer));
    }

    /// Tells the readers of the event log.
    pub(crate) fn event(&mut self, kind: &'static str, about: About, detail: String) {
        let About { payment, channel, amount } = about;
        self.changes.events.push(EventRow { kind, payment, channel, amount, detail, created_at: self.now });
    }

    pub(crate) fn into_outputs(self) -> impl Iterator<Item = Output> {
        let persist = (!self.changes.is_empty()).then(|| Output::Persist(Box::new(self.changes)));
        persist.into_iter().chain(self.after)
    }
}

impl About {
    pub(crate) fn payment(payment: PaymentId, amount: Msat) -> About {
        About { payment: Some(payment), amount: Some(amount), channel: None }
    }

    pub(crate) fn channel(channel: ChannelId) -> About {
        About { channel: Some(channel), ..About::default() }
    }
}
