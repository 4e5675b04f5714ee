//! A backend in memory. What it is given leaves only once it is told that it is durable; what it
//! sealed is in the store and comes back after a restart. Tests look at it and stir it through
//! its [`World`].

use sponte_engine::backend::{
    Admin, Backend, BackendEvent, Channel, Claimable, Claimed, ClaimedPart, Command, Destination, NoRoutes,
    Purpose, ReceiveFailed, Recovered, Refusal, Reply, Route, RouteHop, RouteRequest, Routes, Sealed, Send,
    SendFailed, WalletBalance,
};
use sponte_engine::commit::{KvBatch, PartFailure};
use sponte_engine::{Config, NodeSecret};
use sponte_node::{Node, PaymentRequest, StartError, Waker, spawn};
use sponte_proto::{
    BlockHeight, ChannelId, CltvExpiry, Msat, NodeId, PaymentHash, PaymentId, Preimage, Records,
    ShortChannelId,
};
use sponte_store::{Failpoints, Options, Store};
use std::collections::VecDeque;
use std::collections::btree_map::{BTreeMap, Entry};
use std::convert::Infallible;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Long enough for a loaded machine; nothing waits so long unless it fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What becomes of payments.
#[derive(Clone, Debug, Default)]
pub enum Fate {
    #[default]
    Paid,
    Held,
    /// The HTLC fails.
    Failed(PartFailure),
    /// None leaves.
    NoRoutes(NoRoutes),
}

/// What tests see of a backend, and stir in it.
#[derive(Default)]
pub struct State {
    pub log: Vec<String>,
    /// HTLCs that left.
    pub left: Vec<Send>,
    /// Hashes whose preimages left.
    pub released: Vec<PaymentHash>,
    pub refused: Vec<PaymentHash>,
    pub fate: Fate,
    pub events: VecDeque<BackendEvent>,
    pub channels: Vec<Channel>,
    /// The channels' balances change whenever they are listed.
    pub restless: bool,
    pub wallet: WalletBalance,
    /// Callers for an address, who wait for [`World::answer_addresses`].
    pub addresses: Vec<Reply<String>>,
    pub answer_addresses: bool,
    /// There is always one more block.
    pub catching_up: bool,
    pub panic: bool,
    pub paused: bool,
}

#[derive(Clone, Default)]
pub struct World {
    state: Arc<(Mutex<State>, Condvar)>,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl World {
    pub fn with_fate(fate: Fate) -> World {
        let world = World::default();
        world.state().fate = fate;
        world
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().expect("no test panics with the lock")
    }

    pub fn log(&self, line: impl Into<String>) {
        self.state().log.push(line.into());
    }

    /// Tells the node something.
    pub fn tell(&self, event: BackendEvent) {
        self.state().events.push_back(event);
        self.wake();
    }

    pub fn wake(&self) {
        if let Some(waker) = &*self.waker.lock().expect("held for a moment") {
            waker.wake();
        }
    }

    pub fn answer_addresses(&self) {
        self.state().answer_addresses = true;
        self.wake();
    }

    /// Keeps the node's thread from going on, or lets it.
    pub fn pause(&self, paused: bool) {
        self.state().paused = paused;
        self.state.1.notify_all();
    }

    fn wait_while_paused(&self) {
        drop(
            self.state
                .1
                .wait_while(self.state(), |state| state.paused)
                .expect("no test panics with the lock"),
        );
    }

    /// Waits until the state is as it is wanted.
    pub async fn until(&self, what: &str, mut wanted: impl FnMut(&State) -> bool) {
        let world = self.clone();
        let wait = async {
            while !wanted(&world.state()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never came: {what}"));
    }
}

/// Lives on the thread that made it.
struct Fake {
    world: World,
    /// HTLCs on their way.
    parts: BTreeMap<PaymentId, Preimage>,
    inbound: BTreeMap<PaymentHash, Claimable>,
    queue: VecDeque<BackendEvent>,
    kv: KvBatch,
    /// What is to leave with the seal that is next, or with one that is not durable.
    next: Vec<Leaving>,
    waiting: VecDeque<(u64, Vec<Leaving>)>,
    sealed: u64,
    dirty: bool,
    _stays_on_its_thread: Rc<()>,
}

enum Leaving {
    Htlc(Box<Send>),
    Preimage(PaymentHash),
}

impl Backend for Fake {
    fn poll(&mut self) -> Vec<BackendEvent> {
        self.world.wait_while_paused();
        let mut state = self.world.state();
        if std::mem::take(&mut state.panic) {
            drop(state);
            panic!("told to");
        }
        if state.answer_addresses {
            for (number, reply) in std::mem::take(&mut state.addresses).into_iter().enumerate() {
                reply(Ok(format!("address {number}")));
            }
        }
        if state.catching_up {
            self.queue.push_back(BackendEvent::Block(BlockHeight::new(100)));
        }
        self.queue.extend(state.events.drain(..));
        let mut events: Vec<_> = self.queue.drain(..).collect();
        drop(state);
        for event in &mut events {
            match event {
                BackendEvent::Claimable(claimable) => match self.inbound.entry(claimable.hash) {
                    Entry::Vacant(free) => drop(free.insert((**claimable).clone())),
                    // LDK fails a second set of a hash that is being claimed by itself.
                    Entry::Occupied(_) => {
                        *event = BackendEvent::ReceiveFailed(ReceiveFailed {
                            hash: claimable.hash,
                            channels: vec![],
                            claiming: true,
                            waiting: false,
                        });
                    }
                },
                BackendEvent::PartSent { part, .. } | BackendEvent::PartFailed(SendFailed { part, .. }) => {
                    self.parts.remove(part);
                    self.kv.delete("fake", part.to_string());
                }
                _ => {}
            }
            self.dirty = true;
        }
        events
    }

    fn execute(&mut self, command: Command) {
        self.dirty = true;
        match command {
            Command::Route(request) => {
                let fate = self.world.state().fate.clone();
                self.queue.push_back(BackendEvent::Routes(Box::new(routes(&request, fate))));
            }
            Command::Send(send) => {
                let preimage = preimage(&send);
                self.kv.put("fake", send.part.to_string(), preimage.to_bytes().to_vec());
                self.parts.insert(send.part, preimage);
                self.next.push(Leaving::Htlc(send));
            }
            Command::Claim(hash, _) => self.next.push(Leaving::Preimage(hash)),
            Command::Accept(_) => {}
            Command::Fail(hash, _) => self.world.state().refused.push(hash),
        }
    }

    fn admin(&mut self, request: Admin) {
        let mut state = self.world.state();
        match request {
            Admin::Channels(reply) => {
                reply(Ok(state.channels.clone()));
                if state.restless {
                    let moved = |ours: Option<Msat>| ours?.checked_add(Msat::new(1)?);
                    state.channels.iter_mut().for_each(|channel| channel.balance = moved(channel.balance));
                }
            }
            Admin::Balance(reply) => reply(Ok(state.wallet)),
            Admin::Address(reply) => state.addresses.push(reply),
            Admin::Connect(_, _, reply) => {
                self.dirty = true;
                reply(Ok(()));
            }
            _ => panic!("no test asks for more"),
        }
    }

    fn recovered(&mut self) -> Result<Recovered, Refusal> {
        self.world.log("recovered");
        Ok(Recovered {
            parts: self.parts.keys().copied().collect(),
            inbound: self.inbound.keys().copied().collect(),
            height: BlockHeight::new(700_000),
        })
    }

    fn seal(&mut self) -> Option<Sealed> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        self.sealed += 1;
        self.waiting.push_back((self.sealed, std::mem::take(&mut self.next)));
        self.world.log(format!("seal {}", self.sealed));
        self.kv.put("fake.seals", "last", self.sealed.to_be_bytes().to_vec());
        Some(Sealed { number: self.sealed, kv: std::mem::take(&mut self.kv) })
    }

    fn committed(&mut self, number: u64) {
        self.world.log(format!("committed {number}"));
        while self.waiting.front().is_some_and(|(waiting, _)| *waiting <= number) {
            let (_, leaving) = self.waiting.pop_front().expect("looked at");
            leaving.into_iter().for_each(|leaving| self.leave(leaving));
        }
    }

    fn start(&mut self) {
        self.world.log("start");
    }

    fn stop(&mut self) {
        self.world.log("stop");
        self.dirty = true;
    }
}

impl Fake {
    fn leave(&mut self, leaving: Leaving) {
        let mut state = self.world.state();
        match leaving {
            Leaving::Htlc(send) => {
                state.left.push(*send.clone());
                match &state.fate {
                    Fate::Held | Fate::NoRoutes(_) => {}
                    Fate::Paid => self.queue.push_back(sent(&send)),
                    Fate::Failed(why) => {
                        let failed = SendFailed { part: send.part, why: *why };
                        self.queue.push_back(BackendEvent::PartFailed(failed));
                    }
                }
            }
            Leaving::Preimage(hash) => {
                state.released.push(hash);
                if let Some(claimable) = self.inbound.remove(&hash) {
                    let expiry = CltvExpiry::new(800_000);
                    let part = ClaimedPart { channel: channel(1), amount: claimable.amount, expiry };
                    self.queue.push_back(BackendEvent::Claimed(Claimed {
                        id: claimable.id,
                        hash,
                        parts: vec![part],
                    }));
                }
            }
        }
        drop(state);
        self.world.wake();
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // A test may be over, or have panicked.
        if let Ok(mut state) = self.world.state.0.lock() {
            state.log.push("dropped".into());
        }
    }
}

pub fn open(dir: &Path, failpoints: Failpoints) -> Store {
    Store::open(dir, Options { create: true, failpoints }).expect("the folder is free")
}

/// Starts a node whose backend goes on from what the store has.
pub fn start(store: &Store, world: &World) -> Result<Node, StartError<Infallible>> {
    let kept = store.kv("fake").expect("reads");
    let parts = kept.into_iter().map(|(id, preimage)| {
        let preimage = Preimage::from_bytes(preimage.try_into().expect("32 bytes"));
        (id.parse().expect("an id"), preimage)
    });
    let parts: BTreeMap<PaymentId, Preimage> = parts.collect();
    let world = world.clone();
    spawn(store, config(), move |waker| {
        *world.waker.lock().expect("held for a moment") = Some(waker);
        Ok(Fake {
            world,
            parts,
            inbound: BTreeMap::new(),
            queue: VecDeque::new(),
            kv: KvBatch::default(),
            next: vec![],
            waiting: VecDeque::new(),
            sealed: 0,
            dirty: true,
            _stays_on_its_thread: Rc::new(()),
        })
    })
}

pub fn config() -> Config {
    Config::new(node(1), NodeSecret::new([7; 32]))
}

pub fn node(byte: u8) -> NodeId {
    let mut bytes = [byte; 33];
    bytes[0] = 2;
    NodeId::from_bytes(bytes).expect("starts with 02")
}

pub fn channel(byte: u8) -> ChannelId {
    ChannelId::from_bytes([byte; 32])
}

pub fn request(key: &str) -> PaymentRequest {
    PaymentRequest {
        key: key.into(),
        destination: node(9),
        amount: Msat::from_sat(50).expect("small"),
        kind: Some(sponte_engine::commit::Kind::Keysend),
        fall_back: None,
        max_fee: None,
        max_parts: 1,
        timeout_ms: 60_000,
        max_attempts: 3,
        final_cltv: None,
        hints: vec![],
        records: Records::new(),
        invoice: None,
    }
}

pub fn keysend(number: u8, byte: u8) -> Claimable {
    let preimage = Preimage::from_bytes([byte; 32]);
    Claimable {
        id: PaymentId::from_bytes([number; 32]),
        hash: preimage.payment_hash(),
        amount: Msat::from_sat(7).expect("small"),
        channels: vec![channel(1)],
        expiry: None,
        claim_deadline: None,
        records: Records::new(),
        purpose: Purpose::Keysend { preimage, payment_data: None },
    }
}

pub fn sent(send: &Send) -> BackendEvent {
    BackendEvent::PartSent { part: send.part, preimage: preimage(send) }
}

/// Tests pay by keysend.
fn preimage(send: &Send) -> Preimage {
    send.payload.keysend.clone().expect("it is keysend")
}

/// The destination refuses what it is offered.
pub const REFUSED: PartFailure = PartFailure {
    hop: Some(2),
    code: Some(sponte_proto::failure::FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS),
    channel: None,
};

/// One route over a node that keeps 5 msat.
fn routes(request: &RouteRequest, fate: Fate) -> Routes {
    let hop = |node, keeps, channel| RouteHop {
        node,
        channel: ShortChannelId::new(channel),
        keeps,
        cltv_delta: 144,
        announced: true,
    };
    let fee = Msat::new(5).expect("small");
    let hops = vec![hop(node(5), fee, 1), hop(request.destination, request.amount, 2)];
    let found = match fate {
        Fate::NoRoutes(why) => Err(why),
        _ => Ok(vec![Route { channel: channel(1), hops, tail: None }]),
    };
    let destination = Destination { known: true, keysend: true, amp: false, mpp: false };
    Routes { query: request.query, found, destination }
}
