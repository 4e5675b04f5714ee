//! The engine: inputs to their handlers, outputs in order.

use crate::backend::{BackendEvent, Command, Recovered};
use crate::books::Books;
use crate::commit::{Direction, Snapshot};
use crate::config::Config;
use crate::derive;
use crate::incoming::{Incoming, Open};
use crate::input::{Fact, Input, Question};
use crate::outgoing::Outgoing;
use crate::output::Output;
use crate::receive::Receive;
use crate::step::Step;
use sponte_proto::{ChannelId, PaymentId, Timestamp};
use std::collections::{BTreeSet, VecDeque};

/// Decides. See the crate's documentation for how to drive it.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    incoming: Incoming,
    outgoing: Outgoing,
    books: Books,
    outputs: VecDeque<Output>,
    /// The timeout that was given out last and has not come.
    timeout: Option<Timestamp>,
}

impl Engine {
    /// Goes on from what the ledger has. Payments that were pending wait for
    /// [`Input::Recovered`], or for the event that ends them.
    pub fn new(config: Config, snapshot: Snapshot) -> Engine {
        let Snapshot { payments, attempts, parts, channel_balances_msat, waiting, settings } = snapshot;
        let (incoming, outgoing): (Vec<_>, Vec<_>) =
            payments.into_iter().partition(|row| row.direction == Direction::In);
        let ids: BTreeSet<PaymentId> = incoming.iter().map(|row| row.id).collect();
        let (received, parts) = parts.into_iter().partition(|part| ids.contains(&part.payment));
        let open = Open { payments: incoming, parts: received, waiting, settings };
        Engine {
            incoming: Incoming::new(&config, open),
            config,
            outgoing: Outgoing::new(outgoing, attempts, parts),
            books: Books::new(channel_balances_msat),
            outputs: VecDeque::new(),
            timeout: None,
        }
    }

    /// What to look up before `event` is handed in. Ask right before: the answer depends on the
    /// events before it.
    pub fn question(&self, event: &BackendEvent) -> Option<Question> {
        match event {
            BackendEvent::Claimable(claimable) => self.incoming.question(claimable),
            BackendEvent::Claimed(claimed) => {
                (!self.incoming.is_claiming(claimed.id)).then_some(Question::Part(claimed.id))
            }
            BackendEvent::PartSent { part, .. } => {
                (!self.outgoing.awaits(*part)).then_some(Question::SentPart(*part))
            }
            other => Books::keys(other).map(Question::Transfers),
        }
    }

    /// The id of the payment that a key stands for. Look it up right before the key is handed in.
    pub fn payment_id(&self, key: &str) -> PaymentId {
        derive::payment_id(&self.config.node_secret, key)
    }

    /// Which payments to us are taken and held, and whether that was set at run time.
    pub fn receive(&self) -> (&Receive, bool) {
        self.incoming.receive()
    }

    /// Takes one input. Drain [`Engine::poll_output`] before the next. `now` may stand still or
    /// jump; it is only compared.
    pub fn handle_input(&mut self, input: Input, now: Timestamp) {
        let mut step = Step::new(now);
        match input {
            Input::Backend(event, fact) => self.handle_event(&mut step, event, fact),
            Input::Pay(request, ticket, known) => {
                self.outgoing.handle_pay(&self.config, &mut step, *request, ticket, &known);
            }
            Input::Quote(request, ticket) => {
                self.outgoing.handle_quote(&self.config, &mut step, *request, ticket);
            }
            Input::Cancel(id, ticket, past) => {
                self.outgoing.handle_cancel(&self.config, &mut step, id, ticket, past.as_deref());
            }
            Input::Decide(id, decision, ticket, known) => {
                let known = known.as_deref();
                self.incoming.handle_decision(&mut self.books, &mut step, id, decision, ticket, known);
            }
            Input::AmpInvoice(row, ticket) => self.incoming.handle_amp_invoice(&mut step, *row, ticket),
            Input::CancelAmpInvoice(known, ticket) => {
                self.incoming.handle_cancel_amp_invoice(&mut step, known.map(|row| *row), ticket);
            }
            Input::Receive(receive, ticket) => self.incoming.handle_receive(&mut step, receive, ticket),
            Input::Recovered(recovered) => self.handle_recovered(&mut step, recovered),
            Input::Time => {
                self.timeout = None;
                self.outgoing.handle_time(&self.config, &mut step);
                self.incoming.handle_time(&mut self.books, &mut step);
            }
        }
        self.outputs.extend(step.into_outputs());
        let next = self.outgoing.next_timeout().into_iter().chain(self.incoming.next_timeout()).min();
        if let Some(at) = next.filter(|at| self.timeout != Some(*at)) {
            self.outputs.push_back(Output::Timeout(at));
        }
        self.timeout = next;
    }

    /// The next thing to do, in order; `None` when there is nothing left of what was handed in.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The posted balance of every channel account that is not zero, signed msat: what the ledger
    /// has once all that was drained is durable.
    pub fn channel_balances_msat(&self) -> impl Iterator<Item = (ChannelId, i64)> {
        self.books.balances_msat()
    }

    fn handle_event(&mut self, step: &mut Step, event: BackendEvent, fact: Fact) {
        let Engine { config, incoming, outgoing, books, .. } = self;
        match event {
            BackendEvent::Claimable(claimable) => {
                incoming.handle_claimable(books, step, &claimable, &fact);
            }
            BackendEvent::Claimed(claimed) => {
                let past = if let Fact::Part(past) = fact { past.map(|past| *past) } else { None };
                incoming.handle_claimed(books, step, &claimed, past);
            }
            BackendEvent::ReceiveFailed(failed) => incoming.handle_receive_failed(books, step, &failed),
            BackendEvent::Block(height) => incoming.handle_block(books, step, height),
            BackendEvent::Routes(routes) => outgoing.handle_routes(config, books, step, *routes),
            BackendEvent::PartSent { part, preimage } => match fact {
                Fact::SentPart(Some(past)) if !outgoing.awaits(part) => {
                    outgoing.handle_late_sent(config, books, step, *past, part, preimage);
                }
                _ => outgoing.handle_part_sent(config, books, step, part, preimage),
            },
            BackendEvent::PartFailed(failed) => {
                outgoing.handle_part_failed(config, books, step, &failed);
            }
            BackendEvent::ChannelReady { channel, peer } => {
                books.handle_channel_ready(step, channel, peer);
                outgoing.handle_usable(config, step);
            }
            BackendEvent::ChannelUsable(_) => outgoing.handle_usable(config, step),
            other => handle_books(books, step, other, fact),
        }
    }

    fn handle_recovered(&mut self, step: &mut Step, recovered: Recovered) {
        let Recovered { parts, inbound, height } = recovered;
        step.command(Command::Accept(self.incoming.kinds()));
        self.incoming.recover(&mut self.books, step, &inbound.into_iter().collect(), height);
        self.outgoing.recover(&self.config, &mut self.books, step, &parts.into_iter().collect());
    }
}

/// Events that no payment of ours is about.
fn handle_books(books: &mut Books, step: &mut Step, event: BackendEvent, fact: Fact) {
    let found = if let Fact::Transfers(found) = fact { found } else { vec![] };
    match event {
        BackendEvent::Forwarded(forward) => books.handle_forward(step, &forward, &found),
        BackendEvent::ChannelPending(pending) => books.handle_channel_pending(step, &pending, &found),
        BackendEvent::ChannelClosed { channel, peer, reason } => {
            books.handle_channel_closed(step, channel, peer, &reason);
        }
        BackendEvent::ChannelDiscarded(channel) => books.handle_channel_discarded(step, channel, &found),
        BackendEvent::ChannelResolved(channel) => books.handle_channel_resolved(step, channel, &found),
        BackendEvent::WalletTx(tx) => books.handle_wallet_tx(step, &tx, &found),
        _ => unreachable!("events of payments are handled by payments"),
    }
}
