//! An engine over a ledger, driven by hand.

use crate::ledger::Ledger;
use sponte_engine::backend::{
    BackendEvent, Claimable, Command, Kinds, Purpose, Recovered, Send, SendFailure, SentPart,
};
use sponte_engine::commit::{PaymentRow, State};
use sponte_engine::{
    Config, Engine, Fact, Input, NodeSecret, Output, PayError, PayRequest, ReceiveError, Ticket,
};
use sponte_proto::{
    BlockHeight, ChannelId, Msat, NodeId, PaymentHash, PaymentId, Preimage, Records, Timestamp,
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
    replies: Vec<(Ticket, Result<PaymentId, PayError>)>,
}

pub fn node(byte: u8) -> NodeId {
    let mut bytes = [byte; 33];
    bytes[0] = 2;
    NodeId::from_bytes(bytes).expect("starts with 02")
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
        max_fee: Some(msat(1_000)),
        timeout_ms: 60_000,
        max_attempts: 3,
        records: Records::new(),
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
            }
        }
        let booked: Vec<_> = self.engine.channel_balances_msat().collect();
        assert_eq!(booked, self.ledger.channel_balances_msat(), "memory and ledger agree");
    }

    pub fn event(&mut self, event: BackendEvent) {
        let fact = self.engine.question(&event).map_or(Fact::None, |question| self.ledger.look_up(question));
        self.input(Input::Backend(event, fact));
    }

    pub fn recover(&mut self, attempts: &[PaymentId], inbound: &[PaymentHash]) {
        self.recover_all(attempts, inbound, HEIGHT);
    }

    /// A start at a height; no attempt is known.
    pub fn recover_at(&mut self, height: u32, inbound: &[PaymentHash]) {
        self.recover_all(&[], inbound, height);
    }

    fn recover_all(&mut self, attempts: &[PaymentId], inbound: &[PaymentHash], height: u32) {
        self.input(Input::Recovered(Recovered {
            attempts: attempts.to_vec(),
            inbound: inbound.to_vec(),
            height: BlockHeight::new(height),
        }));
    }

    pub fn pay(&mut self, request: PayRequest) -> Result<PaymentId, PayError> {
        let ticket = Ticket(self.replies.len() as u64);
        let known = self.ledger.payments.get(&self.engine.payment_id(&request.key)).cloned();
        self.input(Input::Pay(request, ticket, known.map(Box::new)));
        let (answered, answer) = self.replies.pop().expect("every request is answered at once");
        assert_eq!(answered, ticket);
        answer
    }

    /// Lets the engine's timeout come.
    pub fn wait(&mut self) {
        self.now = self.now.max(self.timeout.take().expect("something is waited for"));
        self.input(Input::Time);
    }

    /// The one command since the last look, which is a send.
    pub fn sent(&mut self) -> Send {
        match &std::mem::take(&mut self.commands)[..] {
            [Command::Send(send)] => (**send).clone(),
            other => panic!("not one send: {other:?}"),
        }
    }

    pub fn dispatched(&mut self, attempt: PaymentId) {
        let parts = vec![SentPart {
            channel: channel(1),
            amount: msat(50_000),
            fee: msat(100),
            route: vec![node(5), node(9)],
        }];
        self.event(BackendEvent::Dispatched { attempt, parts });
    }

    pub fn failed(&mut self, attempt: PaymentId, why: SendFailure) {
        self.event(BackendEvent::AttemptFailed { attempt, why });
        self.ledger.check();
    }

    pub fn paid(&mut self, send: &Send) {
        let (attempt, preimage) = (send.attempt, send.preimage.clone());
        self.event(BackendEvent::Sent { attempt, preimage, fee: msat(100) });
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
