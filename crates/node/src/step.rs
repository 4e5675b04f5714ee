//! The loop: one thread that owns the backend and the engine, and never waits for a commit.

use crate::answers::{Answers, Caller};
use crate::clock;
use crate::error::{Fatal, ReceiveError};
use crate::flights::{Flight, Flights};
use crate::lookup;
use crate::message::Message;
use crate::paying::{PayAnswer, QuoteAnswer};
use crate::receiving::Answer;
use crate::waiters::Ends;
use crate::waker::Waker;
use sponte_engine::backend::{Backend, BackendEvent};
use sponte_engine::commit::Transaction;
use sponte_engine::{Engine, Fact, Input, Output, Ticket};
use sponte_proto::Timestamp;
use sponte_store::{Commit, Ledger, StoreError, Writer};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;
use tokio::sync::watch;

/// So many transactions may wait for the writer; each may hold all of the backend's state. What a
/// step does beyond that goes into the transaction of a later one.
const FLIGHTS: usize = 16;

/// A step takes no more messages than this, so that a flood of requests cannot put off a commit: each
/// payment looks for routes.
const MESSAGES: usize = 128;

/// A step asks the backend no more often than this: after a long outage each time brings blocks, and what they
/// change is not to pile up in one transaction.
const ROUNDS: usize = 8;

/// What the loop is made of, all but the backend and the engine.
pub(crate) struct Doors {
    pub(crate) inbox: Receiver<Message>,
    pub(crate) messages: Sender<Message>,
    pub(crate) waker: Waker,
    pub(crate) ledger: Ledger,
    pub(crate) writer: Writer,
    pub(crate) commits: watch::Sender<u64>,
    pub(crate) ends: Ends,
}

pub(crate) struct Loop<B> {
    backend: B,
    pub(crate) engine: Engine,
    pub(crate) doors: Doors,
    pub(crate) flights: Flights,
    answers: Answers,
    pub(crate) callers: BTreeMap<Ticket, Caller<PayAnswer>>,
    pub(crate) quoters: BTreeMap<Ticket, Caller<QuoteAnswer>>,
    pub(crate) askers: BTreeMap<Ticket, Caller<Answer>>,
    tickets: u64,
    submitted: u64,
    timeout: Option<Timestamp>,
    stopping: bool,
}

impl<B: Backend> Loop<B> {
    pub(crate) fn new(backend: B, engine: Engine, doors: Doors) -> Loop<B> {
        Loop {
            backend,
            engine,
            doors,
            flights: Flights::default(),
            answers: Answers::default(),
            callers: BTreeMap::new(),
            quoters: BTreeMap::new(),
            askers: BTreeMap::new(),
            tickets: 0,
            submitted: 0,
            timeout: None,
            stopping: false,
        }
    }

    /// The start (design of a step, "Start"): buffered events, what survived, one commit that is
    /// waited for, and only then the network.
    pub(crate) fn start(&mut self) -> Result<(), Fatal> {
        while !self.poll()? {}
        let recovered = self.backend.recovered().map_err(Fatal::Backend)?;
        self.handle(Input::Recovered(recovered));
        while !self.poll()? {}
        self.submit();
        let mut requests = vec![];
        while !self.flights.queue.is_empty() {
            match self.doors.inbox.recv().expect("the loop holds a sender of its own") {
                Message::Committed(number, result) => self.committed(number, result)?,
                early => requests.push(early),
            }
        }
        self.backend.start();
        requests.into_iter().try_for_each(|message| self.take(message))?;
        self.step()
    }

    /// Steps until it is asked to stop and nothing is left, or something fails.
    pub(crate) fn run(mut self) -> Result<(), Fatal> {
        while !(self.stopping && self.flights.queue.is_empty()) {
            for message in self.wait() {
                self.take(message)?;
            }
            self.step()?;
        }
        Ok(())
    }

    /// All messages that are there; at least one, unless the engine's time has come.
    fn wait(&self) -> Vec<Message> {
        let inbox = &self.doors.inbox;
        let first = match self.timeout {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => inbox.recv_timeout(Duration::from_millis(at.millis_since(clock::now()))),
        };
        first.into_iter().chain(inbox.try_iter()).take(MESSAGES).collect()
    }

    fn take(&mut self, message: Message) -> Result<(), Fatal> {
        match message {
            Message::Wake => {}
            Message::Committed(number, result) => self.committed(number, result)?,
            // Whoever asks a node that stops is told so by the drop of the request.
            Message::Pay(..)
            | Message::Quote(..)
            | Message::Cancel(..)
            | Message::Ask(..)
            | Message::Policy(_)
            | Message::Admin(_)
                if self.stopping => {}
            Message::Pay(request, caller) => self.pay(request, caller)?,
            Message::Quote(request, caller) => self.quote(request, caller),
            Message::Cancel(id, caller) => self.cancel(id, caller)?,
            Message::Ask(asked, caller) => self.ask(asked, caller)?,
            Message::Policy(caller) => {
                let (receive, replaced) = self.engine.receive();
                self.answers.push(caller.answer((receive.clone(), replaced)));
            }
            Message::Admin(make) => self.backend.admin(make(&self.answers)),
            Message::Stop if self.stopping => {}
            Message::Stop => {
                self.stopping = true;
                self.backend.stop();
            }
        }
        Ok(())
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// One step, from what is due to what is submitted.
    fn step(&mut self) -> Result<(), Fatal> {
        self.doors.waker.begin_step();
        if self.timeout.is_some_and(|at| at <= clock::now()) {
            self.timeout = None;
            self.handle(Input::Time);
        }
        if !self.poll()? {
            self.doors.waker.wake();
        }
        self.submit();
        Ok(())
    }

    /// Whether the backend has nothing left to do.
    fn poll(&mut self) -> Result<bool, Fatal> {
        for _ in 0..ROUNDS {
            let events = self.backend.poll();
            if events.is_empty() {
                return Ok(true);
            }
            for event in events {
                self.handle_event(event)?;
            }
        }
        Ok(false)
    }

    fn handle_event(&mut self, event: BackendEvent) -> Result<(), Fatal> {
        tracing::debug!(?event, "backend");
        let fact = match self.engine.question(&event) {
            None => Fact::None,
            Some(question) => {
                lookup::look_up(&self.doors.ledger, &self.flights, question).map_err(Fatal::Ledger)?
            }
        };
        self.handle(Input::Backend(event, fact));
        Ok(())
    }

    /// Hands one input in and does all that comes of it.
    pub(crate) fn handle(&mut self, input: Input) {
        self.engine.handle_input(input, clock::now());
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Persist(changes) => self.flights.current.add(*changes),
                Output::Backend(command) => {
                    tracing::debug!(?command, "engine");
                    self.backend.execute(command);
                }
                Output::Timeout(at) => self.timeout = Some(at),
                Output::Reply(ticket, answer) => {
                    if let Some(caller) = self.callers.remove(&ticket) {
                        self.answers.push(caller.answer(answer));
                    }
                }
                Output::Quote(ticket, answer) => {
                    if let Some(quoter) = self.quoters.remove(&ticket) {
                        self.answers.push(quoter.answer(answer));
                    }
                }
                Output::Answer(ticket, answer) => {
                    if let Some(asker) = self.askers.remove(&ticket) {
                        self.answers.push(asker.answer(answer.map_err(ReceiveError::Refused)));
                    }
                }
            }
        }
    }

    /// Ends a step: what it wrote is one transaction; its answers wait for that, or, if it wrote
    /// nothing, for the transactions before it.
    ///
    /// If too much waits for the disk, the step goes on instead, and each commit makes it try to
    /// end again: nothing that needs a commit leaves before a seal, and rows, answers and backend
    /// stay together.
    fn submit(&mut self) {
        if self.flights.queue.len() >= FLIGHTS {
            return;
        }
        let sealed = self.backend.seal();
        let rows = std::mem::take(&mut self.flights.current);
        let answers = self.answers.take();
        if rows.changes().is_empty() && sealed.is_none() {
            match self.flights.queue.back_mut() {
                Some(last) => last.answers.extend(answers),
                None => answers.into_iter().for_each(|answer| answer()),
            }
            return;
        }
        self.submitted += 1;
        let number = self.submitted;
        let (sealed, kv) = sealed.map(|sealed| (sealed.number, sealed.kv)).unzip();
        let transaction = Transaction { changes: rows.changes().clone(), kv: kv.unwrap_or_default() };
        self.flights.queue.push_back(Flight { number, sealed, rows, answers });
        let messages = self.doors.messages.clone();
        let told = move |result| drop(messages.send(Message::Committed(number, result)));
        self.doors.writer.submit(transaction, Box::new(told));
    }

    /// A submission has ended. After a failure nothing more is completed.
    fn committed(&mut self, number: u64, result: Result<Commit, StoreError>) -> Result<(), Fatal> {
        result.map_err(Fatal::Commit)?;
        let flight = self.flights.queue.pop_front().expect("every submission is a flight");
        assert_eq!(flight.number, number, "submissions end in order");
        if let Some(sealed) = flight.sealed {
            self.backend.committed(sealed);
        }
        flight.answers.into_iter().for_each(|answer| answer());
        let changes = flight.rows.changes();
        if !changes.is_empty() {
            self.doors.commits.send_replace(number);
            self.doors.ends.wake(changes);
        }
        Ok(())
    }
}
