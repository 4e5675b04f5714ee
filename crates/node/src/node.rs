//! A running node: its thread, its end.

use crate::clock;
use crate::error::{Fatal, StartError};
use crate::handle::Handle;
use crate::message::Message;
use crate::step::{Doors, Loop};
use crate::waiters::Ends;
use crate::waker::Waker;
use sponte_engine::Receive;
use sponte_engine::backend::Backend;
use sponte_engine::{Config, Engine};
use sponte_store::Store;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Sender, SyncSender};
use std::thread;
use tokio::sync::watch;

type Outcome = Option<Result<(), Fatal>>;

/// A running node. Dropped without [`Node::stop`], it stops in its own time.
#[derive(Debug)]
pub struct Node {
    handle: Handle,
    messages: Sender<Message>,
    outcome: watch::Receiver<Outcome>,
}

/// Starts a node on `store`. The backend is made on the node's own thread and stays there, so it
/// need not be `Send`; the [`Waker`] that it is made with asks for a step from anywhere.
///
/// Returns when the first commit is durable and the backend may talk to the network. Blocks until
/// then.
///
/// # Errors
/// The ledger cannot be read, the backend cannot be made, or the first commit failed. Nothing has
/// left the machine then.
pub fn spawn<B, F, E>(store: &Store, config: Config, make_backend: F) -> Result<Node, StartError<E>>
where
    B: Backend,
    F: FnOnce(Waker) -> Result<B, E> + Send + 'static,
    E: Send + 'static,
{
    let snapshot = store.snapshot().map_err(StartError::Ledger)?;
    if !Receive::is_readable(&snapshot.settings) {
        tracing::error!(
            "what was set of payments to this node cannot be read: what sponte.toml says holds; set it again"
        );
    }
    let engine = Engine::new(config, snapshot);
    let (messages, inbox) = mpsc::channel();
    let waker = Waker::new(messages.clone());
    let (commits, commits_seen) = watch::channel(0);
    let (ends, waiters) = Ends::new();
    let (ended, outcome) = watch::channel(None);
    let (ready, started) = mpsc::sync_channel(1);
    // The step never waits for readers: it has a ledger to itself.
    let (ledger, writer) = (store.ledger_apart().map_err(StartError::Ledger)?, store.writer());
    let handle = Handle::new(messages.clone(), store.ledger(), commits_seen, waiters);
    let doors =
        Doors { inbox, messages: messages.clone(), waker: waker.clone(), ledger, writer, commits, ends };
    let body = move || {
        let result =
            panic::catch_unwind(AssertUnwindSafe(|| live(engine, doors, make_backend, waker, &ready)));
        let result = result.unwrap_or_else(|panic| Err(Fatal::Panicked(message_of(panic.as_ref()))));
        if let Err(fatal) = &result {
            tracing::error!("{fatal}");
            // Nobody listens any more if the start was over.
            let _ = ready.try_send(Err(StartError::Fatal(fatal.clone())));
        }
        ended.send_replace(Some(result));
    };
    thread::Builder::new().name("sponte-step".into()).spawn(body).map_err(StartError::Thread)?;
    let panicked = || Fatal::Panicked("the thread ended without a word".into());
    started.recv().unwrap_or_else(|_| Err(StartError::Fatal(panicked())))?;
    Ok(Node { handle, messages, outcome })
}

/// The life of the thread.
fn live<B: Backend, E>(
    engine: Engine,
    doors: Doors,
    make_backend: impl FnOnce(Waker) -> Result<B, E>,
    waker: Waker,
    ready: &SyncSender<Result<(), StartError<E>>>,
) -> Result<(), Fatal> {
    let backend = match make_backend(waker) {
        Ok(backend) => backend,
        Err(error) => {
            let _ = ready.send(Err(StartError::Backend(error)));
            return Ok(());
        }
    };
    let began_at = clock::now();
    let mut life = Loop::new(backend, engine, doors);
    life.start()?;
    tracing::info!(took_ms = clock::now().millis_since(began_at), "the node is started");
    let _ = ready.send(Ok(()));
    life.run()
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".into())
}

impl Node {
    /// The door for everybody who asks something of the node.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits until the node has ended.
    ///
    /// # Errors
    /// What ended it, if it was not asked to stop. The process is to end with that message.
    pub async fn wait(&self) -> Result<(), Fatal> {
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(Option::is_some).await {
            Ok(ended) => (*ended).clone().expect("waited for"),
            Err(_) => Err(Fatal::Panicked("the thread ended without a word".into())),
        }
    }

    /// Stops in good order: peers are left, what is open is written, callers who still wait are
    /// told that the node has stopped.
    ///
    /// # Errors
    /// What ended it instead.
    pub async fn stop(self) -> Result<(), Fatal> {
        // A thread that has ended needs no word.
        let _ = self.messages.send(Message::Stop);
        self.wait().await
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.messages.send(Message::Stop);
    }
}
