//! One node: its folder outlives its runs.

use crate::{Chain, until};
use sponte_engine::NodeSecret;
use sponte_engine::backend::{
    Admin, Channel, ChannelOpened, ChannelState, NodeInfo, OpenChannel, WalletBalance,
};
use sponte_engine::commit::{PaymentRow, State};
use sponte_ldk::seed::Seed;
use sponte_ldk::{Config, Ldk, Stored};
use sponte_node::{AdminError, Handle, Line, Node, PayError, PaymentRequest, Verdict};
use sponte_proto::{ChannelId, Msat, NodeId, PaymentId, Records, Sat};
use sponte_store::{Options, PaymentsQuery, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A node of a scenario.
pub struct TestNode {
    name: String,
    dir: PathBuf,
    seed: [u8; 32],
    config: Config,
    running: Option<Running>,
}

struct Running {
    node: Node,
    store: Store,
}

static KEYS: AtomicU64 = AtomicU64::new(0);

impl TestNode {
    pub(crate) async fn start(chain: &Chain, dir: &Path, name: &str) -> TestNode {
        let config = Config {
            network: bitcoin::Network::Regtest,
            rpc: chain.rpc_config(),
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
        let mut seed = [0; 32];
        for (byte, letter) in seed.iter_mut().zip(name.bytes().cycle()) {
            *byte = letter;
        }
        let mut node = TestNode { name: name.into(), dir: dir.join(name), seed, config, running: None };
        node.run().await;
        node
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id.
    pub fn id(&self) -> NodeId {
        sponte_ldk::node_id_of(&self.seed())
    }

    fn seed(&self) -> Seed {
        Seed::generate(self.seed)
    }

    /// What it is configured with; a change counts from the next [`TestNode::run`].
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Starts it on its folder.
    pub async fn run(&mut self) {
        assert!(self.running.is_none(), "{} runs already", self.name);
        let (dir, seed, config) = (self.dir.clone(), self.seed(), self.config.clone());
        let runtime = tokio::runtime::Handle::current();
        let (tell, started) = tokio::sync::oneshot::channel();
        // A thread of its own: a node waits for its bitcoind as long as it takes, and the end of a test that
        // failed meanwhile would wait for a thread of the runtime.
        std::thread::spawn(move || {
            std::fs::create_dir_all(&dir).expect("a folder");
            let store =
                Store::open(&dir, Options { create: true, ..Options::default() }).expect("the store opens");
            let secret = NodeSecret::new(seed.node_secret());
            let engine = sponte_engine::Config::new(sponte_ldk::node_id_of(&seed), secret);
            let stored = Stored::read(|namespace| store.kv(namespace)).expect("the store reads");
            let node = sponte_node::spawn(&store, engine, move |waker| {
                Ldk::open(config, &seed, stored, runtime, Arc::new(move || waker.wake()))
            });
            let node = node.unwrap_or_else(|error| panic!("the node starts: {error}"));
            // If nobody listens any more, the test has failed.
            tell.send(Running { node, store }).ok();
        });
        self.running = Some(started.await.expect("the start does not panic"));
    }

    /// Stops it in good order.
    pub async fn stop(&mut self) {
        let Running { node, store } = self.running.take().expect("it runs");
        node.stop().await.expect("it stops in good order");
        tokio::task::spawn_blocking(move || store.close().expect("the store closes"))
            .await
            .expect("no panic");
    }

    /// Stops it and loses its folder; the seed is what is left.
    pub async fn forget_all(&mut self) {
        self.stop().await;
        std::fs::remove_dir_all(&self.dir).expect("the folder is ours");
    }

    /// The door.
    pub fn handle(&self) -> Handle {
        self.running.as_ref().expect("it runs").node.handle()
    }

    /// The keys that it has stored in a namespace of its backend.
    pub fn stored_keys(&self, namespace: &str) -> Vec<String> {
        let store = &self.running.as_ref().expect("it runs").store;
        store.kv(namespace).expect("the store reads").into_iter().map(|(key, _)| key).collect()
    }

    /// As it stands.
    pub async fn info(&self) -> NodeInfo {
        self.handle().admin(Admin::Info).await.expect("info is always answered")
    }

    /// Its wallet's coins.
    pub async fn balance(&self) -> WalletBalance {
        self.handle().admin(Admin::Balance).await.expect("balance is always answered")
    }

    /// A new address.
    pub async fn address(&self) -> String {
        self.handle().admin(Admin::Address).await.expect("an address is always given")
    }

    /// All its channels.
    pub async fn channels(&self) -> Vec<Channel> {
        self.handle().admin(Admin::Channels).await.expect("channels are always answered")
    }

    /// One of its channels.
    pub async fn channel(&self, id: ChannelId) -> Option<Channel> {
        self.channels().await.into_iter().find(|channel| channel.id == id)
    }

    /// Whether HTLCs flow.
    pub fn usable(channel: &Channel) -> bool {
        channel.state == ChannelState::Usable
    }

    /// Connects, and stays connected.
    pub async fn connect(&self, to: &TestNode) {
        self.connect_to(to.id(), &to.info().await.listening.expect("it listens")).await;
    }

    /// As [`TestNode::connect`], to whatever node.
    pub async fn connect_to(&self, id: NodeId, address: &str) {
        let address = address.to_owned();
        let connected = self.handle().admin(move |reply| Admin::Connect(id, address, reply)).await;
        connected.expect("loopback connects");
    }

    /// Whether it has a connection with a node, as far as it has noticed.
    pub async fn is_connected(&self, id: NodeId) -> bool {
        let peers = self.handle().admin(Admin::Peers).await.expect("peers are always answered");
        peers.iter().any(|peer| peer.id == id && peer.connected)
    }

    /// Opens a channel with a connected peer.
    ///
    /// # Errors
    /// What the node refused.
    pub async fn open(&self, to: &TestNode, sat: u64, announce: bool) -> Result<ChannelOpened, AdminError> {
        let request = OpenChannel {
            peer: to.id(),
            address: None,
            value: Sat::new(sat).expect("in supply"),
            push: Msat::ZERO,
            announce,
        };
        self.handle().admin(move |reply| Admin::OpenChannel(request, reply)).await
    }

    /// Closes a channel.
    ///
    /// # Errors
    /// What the node refused.
    pub async fn close(&self, channel: ChannelId, force: bool) -> Result<(), AdminError> {
        self.handle().admin(move |reply| Admin::CloseChannel { channel, force, reply }).await
    }

    /// A request with a key of its own and a minute's time.
    pub fn request(to: &TestNode, amount: &str) -> PaymentRequest {
        TestNode::request_to(to.id(), amount)
    }

    /// As [`TestNode::request`], to whatever node.
    pub fn request_to(destination: NodeId, amount: &str) -> PaymentRequest {
        PaymentRequest {
            key: format!("key {}", KEYS.fetch_add(1, Ordering::Relaxed)),
            destination,
            amount: amount.parse().expect("an amount"),
            kind: None,
            fall_back: None,
            max_fee: None,
            max_parts: 16,
            timeout_ms: 60_000,
            max_attempts: 10,
            final_cltv: None,
            hints: vec![],
            records: Records::new(),
            invoice: None,
        }
    }

    /// Pays, and waits for the end.
    pub async fn pay(&self, to: &TestNode, amount: &str) -> PaymentRow {
        let id = self.begin(Self::request(to, amount)).await.expect("a sound request");
        self.ended(id).await
    }

    /// Begins a payment.
    ///
    /// # Errors
    /// What the node refused.
    pub async fn begin(&self, request: PaymentRequest) -> Result<PaymentId, PayError> {
        self.handle().pay(request).await
    }

    /// Waits for a payment's end.
    pub async fn ended(&self, id: PaymentId) -> PaymentRow {
        until(&format!("{}'s payment to end", self.name), async || {
            let row = self.handle().ledger().payment(&id).expect("the ledger reads")?;
            (row.state != State::Pending).then_some(row)
        })
        .await
    }

    /// Waits until a payment to it has ended, by its hash.
    pub async fn received(&self, sent: &PaymentRow) -> PaymentRow {
        until(&format!("{} to have received it", self.name), async || {
            let query = PaymentsQuery {
                direction: Some(sponte_engine::commit::Direction::In),
                ..PaymentsQuery::default()
            };
            let page = self.handle().ledger().payments(query).expect("the ledger reads");
            page.rows.into_iter().find(|row| row.hash == sent.hash && row.state != State::Pending)
        })
        .await
    }

    /// Waits until no HTLC is pending and the books agree in all that can be compared: that is all
    /// but channels that are closing.
    ///
    /// # Panics
    /// The audit finds a deviation, or something is never comparable.
    pub async fn audited(&self) {
        until(&format!("{}'s HTLCs to end", self.name), async || {
            self.channels().await.iter().all(|channel| channel.htlcs == 0).then_some(())
        })
        .await;
        until(&format!("{}'s books to be comparable", self.name), async || {
            let closing =
                |channel: &Channel| matches!(channel.state, ChannelState::Closing | ChannelState::Closed);
            let closing: Vec<Channel> = self.channels().await.into_iter().filter(closing).collect();
            let report = sponte_node::audit(&self.handle()).await.expect("the audit runs");
            assert!(report.ok, "{}'s books: {report:#?}", self.name);
            let of_closing = |line: &Line| closing.iter().any(|c| line.text.contains(&c.id.to_string()));
            report.lines.iter().all(|line| line.verdict == Verdict::Agrees || of_closing(line)).then_some(())
        })
        .await;
    }
}
