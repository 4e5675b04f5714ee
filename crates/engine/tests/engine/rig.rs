//! An engine over a ledger, driven by hand.

use crate::ledger::Ledger;
use secp256k1::{PublicKey, Secp256k1, SecretKey};
use sponte_engine::backend::{
    BackendEvent, Claimable, Command, Destination, Kinds, NoRoutes, Purpose, Recovered, Route, RouteHop,
    RouteRequest, Routes, Send, SendFailed, Tail,
};
use sponte_engine::commit::{Failure, PartFailure, PaymentRow, State};
use sponte_engine::{
    Config, Engine, Fact, Input, NodeSecret, Output, PayError, PayRequest, Quoted, ReceiveError, Ticket,
};
use sponte_proto::failure::FailureCode;
use sponte_proto::{
    BlockHeight, ChannelId, Msat, NodeId, PaymentHash, PaymentId, Preimage, Records, ShortChannelId,
    Timestamp,
};

/// The tip that a backend tells when it recovers.
pub const HEIGHT: u32 = 700_000;

pub struct Rig {
    pub engine: Engine,
    pub ledger: Ledger,
    pub now: Timestamp,
    pub commands: Vec<Command>,
    pub timeout: Option<Timestamp>,
    /// The kinds that the backend was told last.
    pub accepted: Option<Kinds>,
    pub answers: Vec<Result<(), ReceiveError>>,
    pub quotes: Vec<Result<Result<Quoted, Failure>, PayError>>,
    replies: Vec<(Ticket, Result<PaymentId, PayError>)>,
}

pub fn node(byte: u8) -> NodeId {
    let key = SecretKey::from_slice(&[byte; 32]).expect("a key");
    let point = PublicKey::from_secret_key(&Secp256k1::signing_only(), &key);
    NodeId::from_bytes(point.serialize()).expect("a point")
}

pub fn channel(byte: u8) -> ChannelId {
    ChannelId::from_bytes([byte; 32])
}

pub fn msat(msat: u64) -> Msat {
    Msat::new(msat).expect("below the supply")
}

pub fn preimage(byte: u8) -> Preimage {
    Preimage::from_bytes([byte; 32])
}

pub fn config() -> Config {
    Config::new(node(1), NodeSecret::new([7; 32]))
}

pub fn request(key: &str) -> PayRequest {
    PayRequest {
        key: key.into(),
        destination: node(9),
        amount: msat(50_000),
        kind: None,
        fall_back: None,
        max_fee: Some(msat(1_000)),
        max_parts: 4,
        timeout_ms: 60_000,
        max_attempts: 3,
        final_cltv: None,
        hints: vec![],
        records: Records::new(),
        invoice: None,
    }
}

pub fn keysend(byte: u8) -> Claimable {
    Claimable {
        id: PaymentId::from_bytes([byte; 32]),
        hash: preimage(byte).payment_hash(),
        amount: msat(7_000),
        channels: vec![channel(1)],
        expiry: None,
        claim_deadline: None,
        records: Records::new(),
        purpose: Purpose::Keysend { preimage: preimage(byte), payment_data: None },
    }
}

impl Rig {
    /// One that has started over an empty ledger.
    pub fn new() -> Rig {
        Rig::with(config())
    }

    /// As [`Rig::new`], configured otherwise.
    pub fn with(config: Config) -> Rig {
        let mut rig = Rig::over(Ledger::default());
        rig.engine = Engine::new(config, rig.ledger.snapshot());
        rig.recover(&[], &[]);
        rig
    }

    /// An engine that goes on from a ledger.
    pub fn over(ledger: Ledger) -> Rig {
        Rig {
            engine: Engine::new(config(), ledger.snapshot()),
            ledger,
            now: Timestamp::from_millis(1_700_000_000_000),
            commands: vec![],
            timeout: None,
            accepted: None,
            answers: vec![],
            quotes: vec![],
            replies: vec![],
        }
    }

    /// A crash right after a commit.
    pub fn restart(self) -> Rig {
        Rig { now: self.now, ..Rig::over(self.ledger) }
    }

    pub fn input(&mut self, input: Input) {
        self.engine.handle_input(input, self.now);
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Persist(changes) => self.ledger.apply(*changes),
                Output::Backend(Command::Accept(kinds)) => self.accepted = Some(kinds),
                Output::Backend(command) => self.commands.push(command),
                Output::Timeout(at) => self.timeout = Some(at),
                Output::Reply(ticket, answer) => self.replies.push((ticket, answer)),
                Output::Answer(_, answer) => self.answers.push(answer),
                Output::Quote(_, answer) => self.quotes.push(answer),
            }
        }
        let booked: Vec<_> = self.engine.channel_balances_msat().collect();
        assert_eq!(booked, self.ledger.channel_balances_msat(), "memory and ledger agree");
    }

    pub fn event(&mut self, event: BackendEvent) {
        let fact = self.engine.question(&event).map_or(Fact::None, |question| self.ledger.look_up(question));
        self.input(Input::Backend(event, fact));
    }

    pub fn recover(&mut self, parts: &[PaymentId], inbound: &[PaymentHash]) {
        self.recover_all(parts, inbound, HEIGHT);
    }

    /// A start at a height; no part is known.
    pub fn recover_at(&mut self, height: u32, inbound: &[PaymentHash]) {
        self.recover_all(&[], inbound, height);
    }

    fn recover_all(&mut self, parts: &[PaymentId], inbound: &[PaymentHash], height: u32) {
        self.input(Input::Recovered(Recovered {
            parts: parts.to_vec(),
            inbound: inbound.to_vec(),
            height: BlockHeight::new(height),
        }));
    }

    pub fn pay(&mut self, request: PayRequest) -> Result<PaymentId, PayError> {
        let ticket = Ticket(self.replies.len() as u64);
        let known = self.ledger.known(&request, self.engine.payment_id(&request.key));
        self.input(Input::Pay(Box::new(request), ticket, known));
        self.replied(ticket)
    }

    pub fn cancel(&mut self, id: PaymentId) -> Result<PaymentId, PayError> {
        let ticket = Ticket(self.replies.len() as u64);
        let known = self.ledger.payments.get(&id).cloned();
        self.input(Input::Cancel(id, ticket, known.map(Box::new)));
        self.replied(ticket)
    }

    fn replied(&mut self, ticket: Ticket) -> Result<PaymentId, PayError> {
        let (answered, answer) = self.replies.pop().expect("every request is answered at once");
        assert_eq!(answered, ticket);
        answer
    }

    /// The time that the engine waits for, if it does.
    pub fn engine_timeout(&mut self) -> Option<Timestamp> {
        self.timeout = None;
        self.now = self.now.plus_millis(1);
        self.input(Input::Time);
        self.timeout
    }

    /// Lets the engine's timeout come.
    pub fn wait(&mut self) {
        self.now = self.now.max(self.timeout.take().expect("something is waited for"));
        self.input(Input::Time);
    }

    /// The one command since the last look, which asks for routes.
    pub fn asked(&mut self) -> RouteRequest {
        match &std::mem::take(&mut self.commands)[..] {
            [Command::Route(request)] => (**request).clone(),
            other => panic!("not one question for routes: {other:?}"),
        }
    }

    /// Answers a question: these routes, by the byte of our channel, amount and fee in msat.
    pub fn routed(&mut self, request: &RouteRequest, ways: &[(u8, u64, u64)]) -> Vec<Send> {
        let found = Ok(ways.iter().map(|way| route(*way, request.destination)).collect());
        self.event(routes(request, found));
        std::mem::take(&mut self.commands).into_iter().map(send_of).collect()
    }

    /// Answers a question by one route with a blinded end: the path's number, and how many there are. The
    /// path costs 300 msat.
    pub fn routed_hidden(&mut self, request: &RouteRequest, number: u32, of: u32) -> Vec<Send> {
        let mut way = route((1, 0, 100), node(6));
        way.hops[1].keeps = msat(300);
        way.tail = Some(Tail { number, of, amount: request.amount, path: vec![7] });
        self.event(routes(request, Ok(vec![way])));
        std::mem::take(&mut self.commands).into_iter().map(send_of).collect()
    }

    /// As [`Rig::routed`], where another question follows at once: it stays among the commands.
    pub fn routed_on(&mut self, request: &RouteRequest, ways: &[(u8, u64, u64)]) -> Vec<Send> {
        let found = Ok(ways.iter().map(|way| route(*way, request.destination)).collect());
        self.event(routes(request, found));
        let (sends, others) = std::mem::take(&mut self.commands)
            .into_iter()
            .partition(|command| matches!(command, Command::Send(_)));
        self.commands = others;
        let sends: Vec<Command> = sends;
        sends.into_iter().map(send_of).collect()
    }

    /// Answers a question: there are none.
    pub fn no_routes(&mut self, request: &RouteRequest, why: NoRoutes) {
        self.event(routes(request, Err(why)));
        self.ledger.check();
    }

    /// The whole amount leaves by one route, over another node, for 100 msat.
    pub fn sent(&mut self) -> Send {
        let request = self.asked();
        let amount = request.amount.to_msat();
        let mut sends = self.routed(&request, &[(1, amount, 100)]);
        assert_eq!(sends.len(), 1);
        sends.remove(0)
    }

    pub fn failed(&mut self, send: &Send, why: PartFailure) {
        self.event(BackendEvent::PartFailed(SendFailed { part: send.part, why }));
        self.ledger.check();
    }

    /// A keysend, or whatever says all about itself, is paid.
    pub fn paid(&mut self, send: &Send) {
        self.proven(send, crate::payee::proof(send));
    }

    pub fn proven(&mut self, send: &Send, preimage: Preimage) {
        self.event(BackendEvent::PartSent { part: send.part, preimage });
        self.ledger.check();
    }

    pub fn row(&self, id: PaymentId) -> &PaymentRow {
        &self.ledger.payments[&id]
    }

    pub fn state(&self, id: PaymentId) -> State {
        self.row(id).state
    }

    pub fn failure(&self, id: PaymentId) -> &str {
        assert_eq!(self.state(id), State::Failed);
        &self.row(id).failure.as_ref().expect("a failed payment says why").code
    }

    pub fn events(&self) -> Vec<&'static str> {
        self.ledger.events.iter().map(|row| row.kind).collect()
    }
}

/// A node on the way failed it; its channel is 77.
pub const ON_THE_WAY: PartFailure = on_the_way(77);

/// A node on the way failed it, for what its channel asks.
pub const fn on_the_way(channel: u64) -> PartFailure {
    PartFailure {
        hop: Some(1),
        code: Some(FailureCode::FEE_INSUFFICIENT),
        channel: Some(ShortChannelId::new(channel)),
    }
}

/// The destination, two hops away, answers so.
pub fn refusal(code: FailureCode) -> PartFailure {
    PartFailure { hop: Some(2), code: Some(code), channel: None }
}

fn route((ours, amount, fee): (u8, u64, u64), destination: NodeId) -> Route {
    let hop = |node, keeps, number: u64| RouteHop {
        node,
        channel: ShortChannelId::new(number),
        keeps: msat(keeps),
        cltv_delta: 144,
        announced: true,
    };
    Route {
        channel: channel(ours),
        hops: vec![hop(node(5), fee, ours.into()), hop(destination, amount, 9)],
        tail: None,
    }
}

/// A destination that says that it takes everything.
fn routes(request: &RouteRequest, found: Result<Vec<Route>, NoRoutes>) -> BackendEvent {
    let destination = Destination { known: true, keysend: true, amp: true, mpp: true };
    BackendEvent::Routes(Box::new(Routes { query: request.query, found, destination }))
}

fn send_of(command: Command) -> Send {
    match command {
        Command::Send(send) => *send,
        other => panic!("not a send: {other:?}"),
    }
}
