//! A node whose engine is the test: it takes or refuses what comes, and writes down all that happens.

use sponte_chain::RunningServer;
use sponte_engine::backend::{
    Admin, Backend, BackendEvent, Channel, ChannelState, Claimable, Command, FailAs, Kinds, OpenChannel,
    Purpose, Refusal, Reply, RouteRequest, Routes, Send,
};
use sponte_engine::commit::PartFailure;
use sponte_ldk::chain::{RpcAuth, RpcConfig};
use sponte_ldk::seed::Seed;
use sponte_ldk::{Config, Ldk, Stored};
use sponte_proto::amp::{Shard, reconstruct};
use sponte_proto::{ChannelId, Msat, NodeId, PaymentId, Preimage, Records, Sat};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;

/// What a node does with HTLCs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    All,
    Nothing,
}

/// When a node aborts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The commit is lost.
    Before,
    /// The commit is durable, and nothing that waits for it has happened.
    After,
}

pub struct Node {
    pub name: &'static str,
    pub taking: Taking,
    /// What came to it.
    pub received: Vec<Claimable>,
    /// How its own HTLCs ended.
    pub ended: Vec<(PaymentId, Result<Preimage, PartFailure>)>,
    config: Config,
    /// What is durable.
    disk: BTreeMap<(String, String), Vec<u8>>,
    /// Ends of this step: they are told with its commit.
    ending: Vec<(PaymentId, Result<Preimage, PartFailure>)>,
    /// It crashes with the commit that this counts down to.
    crash: Option<(u32, Crash)>,
    routes: Vec<Routes>,
    queries: u32,
    woken: Arc<AtomicBool>,
    running: Option<(Ldk, Runtime)>,
}

impl Node {
    pub fn new(chain: &RunningServer, name: &'static str) -> Node {
        let auth = RpcAuth::Password { user: chain.user().into(), password: chain.password().into() };
        let config = Config {
            network: bitcoin::Network::Regtest,
            rpc: RpcConfig::new(chain.url(), auth),
            listen: Some("127.0.0.1:0".parse().expect("an address")),
            announce: vec![],
            alias: name.into(),
            forwarding_fee_base_msat: 1_000,
            forwarding_fee_ppm: 100,
            cltv_expiry_delta: 72,
            accept_channels: true,
            min_channel: Sat::new(20_000).expect("small"),
            max_channels_per_peer: 10,
            birthday_height: None,
            poll_interval: Some(Duration::from_millis(20)),
        };
        let mut node = Node {
            name,
            taking: Taking::All,
            received: vec![],
            ended: vec![],
            config,
            disk: BTreeMap::new(),
            ending: vec![],
            crash: None,
            routes: vec![],
            queries: 0,
            woken: Arc::default(),
            running: None,
        };
        node.run();
        node
    }

    fn seed(&self) -> Seed {
        let mut seed = [b'-'; 32];
        seed.iter_mut().zip(self.name.bytes()).for_each(|(byte, letter)| *byte = letter);
        Seed::generate(seed)
    }

    pub fn id(&self) -> NodeId {
        sponte_ldk::node_id_of(&self.seed())
    }

    /// Starts on what is durable. Returns the HTLCs of its own that it still knows.
    pub fn run(&mut self) -> Vec<PaymentId> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let stored = Stored::read(|namespace| {
            let rows = self.disk.iter().filter(|((of, _), _)| of == namespace);
            Ok::<_, ()>(rows.map(|((_, key), value)| (key.clone(), value.clone())).collect())
        });
        let stored = stored.expect("it reads");
        let woken = self.woken.clone();
        let wake = Arc::new(move || woken.store(true, Ordering::Release));
        let ldk = Ldk::open(self.config.clone(), &self.seed(), stored, runtime.handle().clone(), wake);
        self.running = Some((ldk.unwrap_or_else(|why| panic!("{} starts: {why}", self.name)), runtime));
        self.execute(Command::Accept(Kinds::default()));
        self.poll();
        let recovered = self.ldk().recovered().expect("the chain answers");
        self.poll();
        self.commit();
        self.ldk().start();
        recovered.parts
    }

    /// Ends it at once; what is not durable is lost.
    pub fn crash(&mut self) {
        if let Some((ldk, runtime)) = self.running.take() {
            drop(ldk);
            runtime.shutdown_background();
        }
    }

    /// It crashes at the n-th commit from now; `None`: not at all.
    pub fn crash_at(&mut self, commit: Option<(u32, Crash)>) {
        self.crash = commit;
    }

    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub fn ldk(&mut self) -> &mut Ldk {
        &mut self.running.as_mut().expect("it runs").0
    }

    pub fn execute(&mut self, command: Command) {
        self.ldk().execute(command);
    }

    /// One step. Nothing, if it has crashed.
    pub fn step(&mut self) {
        if self.is_running() {
            self.poll();
            self.commit();
        }
    }

    fn poll(&mut self) {
        loop {
            let events = self.ldk().poll();
            if events.is_empty() {
                return;
            }
            events.into_iter().for_each(|event| self.handle(event));
        }
    }

    fn commit(&mut self) {
        let sealed = self.ldk().seal();
        if let Some((commits, _)) = &mut self.crash
            && sealed.is_some()
        {
            *commits -= 1;
        }
        let due = self.crash.take_if(|(commits, _)| *commits == 0).map(|(_, when)| when);
        if due == Some(Crash::Before) {
            self.ending.clear();
            return self.crash();
        }
        self.ended.append(&mut self.ending);
        let Some(sealed) = sealed else { return };
        for entry in sealed.kv.entries {
            let key = (entry.namespace, entry.key);
            match entry.value {
                Some(value) => self.disk.insert(key, value),
                None => self.disk.remove(&key),
            };
        }
        match due {
            None => self.ldk().committed(sealed.number),
            Some(_) => self.crash(),
        }
    }

    fn handle(&mut self, event: BackendEvent) {
        match event {
            BackendEvent::Routes(routes) => self.routes.push(*routes),
            BackendEvent::PartSent { part, preimage } => self.ending.push((part, Ok(preimage))),
            BackendEvent::PartFailed(failed) => self.ending.push((failed.part, Err(failed.why))),
            BackendEvent::Claimable(claimable) => self.take(*claimable),
            _ => {}
        }
    }

    fn take(&mut self, claimable: Claimable) {
        self.received.push(claimable.clone());
        if self.taking == Taking::Nothing {
            return self.execute(Command::Fail(claimable.hash, FailAs::Unknown));
        }
        match claimable.purpose {
            Purpose::Keysend { preimage, .. }
            | Purpose::Ecdh { preimage, .. }
            | Purpose::Bolt11 { preimage } => {
                self.execute(Command::Claim(claimable.hash, preimage));
            }
            Purpose::Amp(_) => self.take_shards(),
            Purpose::Unknown => panic!("{} got {claimable:?}", self.name),
        }
    }

    /// Once all shards that came make up their total.
    fn take_shards(&mut self) {
        let shards: Vec<(Shard, Msat)> = self.received.iter().filter_map(shard).collect();
        let total = shards[0].1;
        let shards: Vec<Shard> = shards.into_iter().map(|(shard, _)| shard).collect();
        for preimage in reconstruct(&shards, total).unwrap_or_default() {
            self.execute(Command::Claim(preimage.payment_hash(), preimage));
        }
    }

    /// What was said to a question.
    pub fn routes(&mut self, mut request: RouteRequest) -> Routes {
        self.queries += 1;
        request.query.number = self.queries;
        let query = request.query;
        self.execute(Command::Route(Box::new(request)));
        while self.routes.is_empty() {
            self.step();
        }
        let answers: Vec<Routes> = self.routes.drain(..).collect();
        assert_eq!(answers.iter().map(|routes| routes.query).collect::<Vec<_>>(), [query]);
        answers.into_iter().next().expect("one")
    }

    /// What one step answers to questions that were asked before, and whether it asks for another.
    pub fn answered_in_a_step(&mut self) -> (Vec<Routes>, bool) {
        self.woken.store(false, Ordering::Release);
        self.step();
        (std::mem::take(&mut self.routes), self.woken.load(Ordering::Acquire))
    }

    /// Gives an HTLC out; it leaves with the next step.
    pub fn send(&mut self, send: Send) {
        self.execute(Command::Send(Box::new(send)));
    }

    /// How an HTLC of this node ended, if it has.
    pub fn end_of(&self, part: PaymentId) -> Option<Result<Preimage, PartFailure>> {
        self.ended.iter().find(|(ended, _)| *ended == part).map(|(_, end)| end.clone())
    }

    /// Records of a namespace on its disk.
    pub fn stored(&self, namespace: &str) -> usize {
        self.disk.keys().filter(|(of, _)| of == namespace).count()
    }

    /// Asks as a person does; the answer may come in a later step.
    pub fn ask<T: std::marker::Send + 'static>(
        &mut self,
        make: impl FnOnce(Reply<T>) -> Admin,
    ) -> Arc<Mutex<Option<Result<T, Refusal>>>> {
        let answer = Arc::new(Mutex::new(None));
        let told = answer.clone();
        let reply = Box::new(move |result| *told.lock().expect("unpoisoned") = Some(result));
        self.ldk().admin(make(reply));
        answer
    }

    /// As [`Node::ask`], of what is answered at once.
    pub fn now<T: std::marker::Send + 'static>(&mut self, make: impl FnOnce(Reply<T>) -> Admin) -> T {
        let answer = self.ask(make);
        let answer = answer.lock().expect("unpoisoned").take().expect("it is answered at once");
        answer.unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    pub fn channels(&mut self) -> Vec<Channel> {
        self.now(Admin::Channels)
    }

    pub fn usable(&mut self) -> usize {
        self.channels().iter().filter(|channel| channel.state == ChannelState::Usable).count()
    }

    /// What it can send over each channel.
    pub fn sendable(&mut self) -> BTreeMap<ChannelId, Msat> {
        self.channels().iter().map(|channel| (channel.id, channel.sendable)).collect()
    }

    pub fn open_request(&self, sat: u64, announce: bool) -> OpenChannel {
        OpenChannel {
            peer: self.id(),
            address: None,
            value: Sat::new(sat).expect("in supply"),
            push: Msat::ZERO,
            announce,
        }
    }
}

/// A shard, and the total of its set.
fn shard(claimable: &Claimable) -> Option<(Shard, Msat)> {
    let Purpose::Amp(shard) = &claimable.purpose else { return None };
    let record = &shard.record;
    let (share, child_index) = (record.root_share.clone(), record.child_index);
    let (payment_hash, amount) = (claimable.hash, claimable.amount);
    Some((Shard { share, child_index, payment_hash, amount }, shard.payment_data.total()))
}

/// Records with one of these bytes.
pub fn records(bytes: usize) -> Records {
    Records::from_received([(65_537, vec![7; bytes])])
}
