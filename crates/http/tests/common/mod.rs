//! A real node on a real store behind a real listener; only Lightning itself is played.

#![allow(dead_code, reason = "not every test file uses all of it")]

mod backend;
pub mod sending;

#[allow(unused_imports, reason = "not every test file uses all of it")]
pub use backend::node_id;
use backend::{Played, Shared};
#[allow(unused_imports, reason = "not every test file uses all of it")]
pub use sending::{REFUSING, SILENT};
use sponte_api::Client;
use sponte_engine::{Config, NodeSecret};
use sponte_http::Api;
use sponte_node::Node;
use sponte_proto::{Msat, NodeId, Preimage, Records, Sat};
use sponte_store::{Options, Store};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The token of every server here.
pub const TOKEN: &str = "5f0c";

/// A node that serves its API.
pub struct Served {
    /// Where.
    pub address: SocketAddr,
    /// The node.
    pub node: Node,
    shared: Arc<Mutex<Shared>>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<std::io::Result<()>>,
    _store: Store,
    _dir: tempfile::TempDir,
}

impl Served {
    /// Starts one.
    pub async fn start() -> Served {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(dir.path(), Options { create: true, ..Options::default() }).expect("a store");
        let shared = Arc::new(Mutex::new(Shared::default()));
        let config = Config::new(node_id(2), NodeSecret::new([7; 32]));
        let theirs = shared.clone();
        let node = sponte_node::spawn(&store, config, move |waker| {
            theirs.lock().expect("no panic").waker = Some(waker);
            Ok::<_, std::convert::Infallible>(Played::new(theirs))
        })
        .expect("a node");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let handle = node.handle();
        let server = tokio::spawn(async move {
            let stopped = async move {
                let _ = stopped.await;
            };
            let api = Api::new(TOKEN);
            api.node_runs(handle);
            api.serve(listener, stopped).await
        });
        Served { address, node, shared, stop: Some(stop), server, _store: store, _dir: dir }
    }

    /// Somebody who knows the token.
    pub fn client(&self) -> Client {
        Client::new(&self.address.to_string(), TOKEN).expect("a client")
    }

    /// A path of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Somebody pays the node.
    pub fn receive(&self, amount: Msat, records: Records) {
        let mut shared = self.shared.lock().expect("no panic");
        shared.receive(Preimage::from_bytes([9; 32]), amount, records);
    }

    /// Destinations that wait for it answer at last.
    pub fn answer_silent(&self) {
        self.shared.lock().expect("no panic").answer_silent();
    }

    /// What the node sees of itself from now on.
    pub fn change(&self, change: impl FnOnce(&mut Shared)) {
        change(&mut self.shared.lock().expect("no panic"));
    }

    /// Tells the server to stop, and waits for its end.
    pub async fn stop(mut self) {
        let _ = self.stop.take().expect("once").send(());
        self.server.await.expect("no panic").expect("a clean end");
    }
}

/// An amount.
pub fn sat(sat: u64) -> Sat {
    Sat::new(sat).expect("in supply")
}

/// A payment's destination that takes everything.
pub fn friend() -> NodeId {
    node_id(3)
}
