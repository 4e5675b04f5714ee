//! Who we stay connected to, and the connections in the making.

use crate::Ldk;
use crate::convert::{node_id, public_key};
use crate::links;
use crate::persist::Persister;
use bitcoin::secp256k1::PublicKey;
use sponte_engine::backend::{Peer, Refusal, RefusalKind, Reply};
use sponte_proto::NodeId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use tokio::task::{self, AbortHandle};

/// Addresses of peers, by node id.
const PEERS: &str = "ldk.peers";
const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(60);
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Tries until a peer that hangs up during the handshake is believed: one that has not noticed yet
/// that our last connection is gone refuses a second one.
const HANG_UPS: u32 = 3;

/// Peers that we connect to, and when to try next.
pub(crate) struct PeerBook {
    known: BTreeMap<PublicKey, Known>,
    results: Receiver<Ended>,
    report: Sender<Ended>,
}

/// A connection that we made, or could not make: with whom, its task, and how it ended.
type Ended = (PublicKey, task::Id, Result<(), ConnectError>);

/// Why there is no connection, in one line.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// Nobody answers there.
    Silent(String),
    /// Somebody answers and hangs up.
    HungUp(String),
}

struct Known {
    /// Where to reach it.
    address: String,
    /// Where it was reached before: what is stored. A peer that never was is forgotten with the
    /// first failure.
    reached: Option<String>,
    /// The connection that we make or have made.
    dial: Option<Dial>,
    /// Where to, and whether that has been reached.
    dialed: Dialed,
    delay: Duration,
    next_try: Instant,
    /// In a row.
    hang_ups: u32,
    /// Since when it is connected.
    since: Option<Instant>,
    /// Callers who wait for the connection.
    waiting: Vec<Reply<()>>,
}

/// A connection of ours, which ends with this.
pub(crate) struct Dial(AbortHandle);

impl Dial {
    /// The task that makes and keeps it.
    pub(crate) fn of<T>(task: &task::JoinHandle<T>) -> Dial {
        Dial(task.abort_handle())
    }

    /// Whether its task is over.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for Dial {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An address, and whether a connection to it was made.
#[derive(Default)]
struct Dialed {
    address: String,
    reached: Arc<AtomicBool>,
}

impl Known {
    fn new(address: String, reached: Option<String>) -> Known {
        let (delay, next_try) = (FIRST_DELAY, Instant::now());
        let dialed = Dialed::default();
        Known {
            address,
            reached,
            dial: None,
            dialed,
            delay,
            next_try,
            hang_ups: 0,
            since: None,
            waiting: vec![],
        }
    }

    /// It hung up, and may not do so again.
    fn try_again(&mut self) -> bool {
        self.hang_ups += 1;
        self.next_try = Instant::now() + FIRST_DELAY;
        self.hang_ups < HANG_UPS
    }

    /// The connection has ended. One that lasted as long as the pause that it would cost ends the
    /// row; who hangs up at once is tried ever more seldom.
    fn lost(&mut self) {
        let since = self.since.take();
        if since.is_some_and(|since| since.elapsed() >= self.delay) {
            self.delay = FIRST_DELAY;
        }
        self.back_off();
    }

    /// The address that this connection shows to be right: where we dialled, unless it is the peer that did. Of a
    /// peer that was never reached any address is better than none.
    fn proven(&self, inbound: bool) -> Option<&String> {
        let address = match &self.reached {
            _ if self.dial.is_some() && !inbound && self.dialed.reached.load(Ordering::Acquire) => {
                &self.dialed.address
            }
            None => &self.address,
            Some(_) => return None,
        };
        (self.reached.as_ref() != Some(address)).then_some(address)
    }

    fn back_off(&mut self) {
        self.next_try = Instant::now() + self.delay;
        self.delay = (self.delay * 2).min(LONGEST_DELAY);
    }
}

impl PeerBook {
    /// From what was stored: keys are node ids, values are addresses.
    pub(crate) fn load(entries: &[(String, Vec<u8>)]) -> PeerBook {
        let read = |id: &str, address: &[u8]| {
            let id = public_key(&id.parse().ok()?)?;
            let address = String::from_utf8(address.to_vec()).ok()?;
            Some((id, Known::new(address.clone(), Some(address))))
        };
        let known = entries.iter().filter_map(|(id, address)| {
            let known = read(id, address);
            if known.is_none() {
                tracing::warn!(id, "the stored address of a peer cannot be read: connect to it again");
            }
            known
        });
        let (report, results) = channel();
        PeerBook { known: known.collect(), results, report }
    }

    /// The namespace of the stored entries.
    pub(crate) const NAMESPACE: &str = PEERS;

    /// Where a peer was last reached.
    pub(crate) fn address(&self, id: &PublicKey) -> Option<String> {
        self.known.get(id).map(|known| known.address.clone())
    }

    /// The connection is there: its address is one to come back to.
    fn reached(&mut self, id: PublicKey, inbound: bool, persister: &Persister) {
        let Some(known) = self.known.get_mut(&id) else { return };
        if let Some(address) = known.proven(inbound).cloned() {
            persister.put(PEERS, &node_id(&id).to_string(), address.clone().into_bytes());
            known.reached = Some(address);
        }
        known.hang_ups = 0;
        known.since.get_or_insert_with(Instant::now);
        known.waiting.drain(..).for_each(|reply| reply(Ok(())));
    }

    /// The address to try now, if that is due.
    fn due(&mut self, id: PublicKey) -> Option<String> {
        let due = |known: &&mut Known| known.dial.is_none() && known.next_try <= Instant::now();
        Some(self.known.get_mut(&id).filter(due)?.address.clone())
    }

    /// Ends every connection that we make or have made.
    pub(crate) fn hang_up(&mut self) {
        self.known.values_mut().for_each(|known| known.dial = None);
    }

    /// It is not connected, and a connection that it made to us may have ended.
    fn gone(&mut self, id: PublicKey) {
        // Of a connection that we made the end is reported.
        let ended = |known: &&mut Known| known.dial.is_none() && known.since.is_some();
        if let Some(known) = self.known.get_mut(&id).filter(ended) {
            known.lost();
        }
    }

    /// It could not be reached: back to the address that worked, if any did.
    fn failed(&mut self, id: PublicKey, message: &str) {
        let Some(known) = self.known.get_mut(&id) else { return };
        known.back_off();
        for reply in known.waiting.drain(..) {
            reply(Err(Refusal::new(RefusalKind::Unavailable, message)));
        }
        match known.reached.clone() {
            Some(address) => known.address = address,
            None => drop(self.known.remove(&id)),
        }
    }
}

impl Ldk {
    /// Connects, and stays connected; answered when the handshake is done.
    pub(crate) fn connect(&mut self, id: &NodeId, address: String, reply: Reply<()>) {
        let invalid = |message: &str| Refusal::new(RefusalKind::Invalid, message);
        let Some(id) = public_key(id) else {
            return reply(Err(invalid("the node id is not a point on the curve: check it")));
        };
        if id == self.node.id {
            return reply(Err(invalid("this is the node's own id: connect to another node")));
        }
        let known = self.peers.known.entry(id).or_insert_with(|| Known::new(address.clone(), None));
        if known.address != address && self.node.peers.peer_by_node_id(&id).is_none() {
            // Whether the old one answers is of no interest any more.
            known.dial = None;
        }
        known.address = address;
        known.waiting.push(reply);
        (known.delay, known.hang_ups) = (FIRST_DELAY, 0);
        known.next_try = Instant::now();
        self.drive_connections();
    }

    /// Disconnects, and does not connect again by itself.
    pub(crate) fn disconnect(&mut self, id: &NodeId, reply: Reply<()>) {
        let known = public_key(id)
            .filter(|id| self.peers.known.contains_key(id) || self.node.peers.peer_by_node_id(id).is_some());
        let Some(id) = known else {
            return reply(Err(Refusal::new(RefusalKind::NotFound, "no such peer: see `sponte peer list`")));
        };
        if let Some(known) = self.peers.known.remove(&id) {
            let message = "it was disconnected meanwhile: connect again";
            known
                .waiting
                .into_iter()
                .for_each(|reply| reply(Err(Refusal::new(RefusalKind::Conflict, message))));
        }
        self.node.persister.delete(PEERS, &node_id(&id).to_string());
        self.node.peers.disconnect_by_node_id(id);
        reply(Ok(()));
    }

    /// Takes results, starts what is due, answers who waits. Called in every step.
    pub(crate) fn drive_connections(&mut self) {
        while let Ok((id, task, result)) = self.peers.results.try_recv() {
            let its = |known: &&mut Known| known.dial.as_ref().is_some_and(|dial| dial.0.id() == task);
            let Some(known) = self.peers.known.get_mut(&id).filter(its) else { continue };
            known.dial = None;
            // If it reached us first, the pass below answers who waits.
            if self.node.peers.peer_by_node_id(&id).is_some() {
                continue;
            }
            match result {
                Ok(()) => known.lost(),
                Err(ConnectError::HungUp(_)) if known.try_again() => {}
                Err(ConnectError::Silent(message) | ConnectError::HungUp(message)) => {
                    self.peers.failed(id, &message);
                }
            }
        }
        if !self.started {
            return;
        }
        for id in self.peers.known.keys().copied().collect::<Vec<_>>() {
            if let Some(peer) = self.node.peers.peer_by_node_id(&id) {
                self.peers.reached(id, peer.is_inbound_connection, &self.node.persister);
                continue;
            }
            self.peers.gone(id);
            if let Some(address) = self.peers.due(id) {
                self.begin_connection(id, address);
            }
        }
    }

    fn begin_connection(&mut self, id: PublicKey, address: String) {
        let (peers, report, wake) = (self.node.peers.clone(), self.peers.report.clone(), self.waker.clone());
        let dialed = Dialed { address: address.clone(), reached: Arc::default() };
        let reached = dialed.reached.clone();
        let dial = self.runtime.spawn(async move {
            let note = || {
                reached.store(true, Ordering::Release);
                wake();
            };
            let result = connect_once(peers, id, &address, note).await;
            let _ = report.send((id, task::id(), result));
            wake();
        });
        if let Some(known) = self.peers.known.get_mut(&id) {
            (known.dial, known.dialed) = (Some(Dial::of(&dial)), dialed);
        }
    }

    /// Every peer that is connected or that we would connect to.
    pub(crate) fn peer_list(&self) -> Vec<Peer> {
        let connected = self.node.peers.list_peers();
        let channels = self.node.manager.list_channels();
        let count = |id: &PublicKey| channels.iter().filter(|c| c.counterparty.node_id == *id).count() as u32;
        let mut peers: BTreeMap<NodeId, Peer> = BTreeMap::new();
        for (id, known) in &self.peers.known {
            let peer = Peer {
                id: node_id(id),
                address: Some(known.address.clone()),
                connected: false,
                outbound: true,
                channels: count(id),
            };
            peers.insert(peer.id, peer);
        }
        for detail in connected {
            let id = node_id(&detail.counterparty_node_id);
            let peer = peers.entry(id).or_insert_with(|| Peer {
                id,
                address: detail.socket_address.map(|address| address.to_string()),
                connected: true,
                outbound: false,
                channels: count(&detail.counterparty_node_id),
            });
            peer.connected = true;
            peer.outbound = !detail.is_inbound_connection;
        }
        peers.into_values().collect()
    }
}

/// Connects, and reports when the connection is lost. `Ok` means that it was there.
pub(crate) async fn connect_once(
    peers: Arc<crate::types::PeerManager>,
    id: PublicKey,
    address: &str,
    wake: impl Fn(),
) -> Result<(), ConnectError> {
    let stream = dial(address).await.map_err(ConnectError::Silent)?;
    let mut connection = std::pin::pin!(links::made(peers.clone(), id, stream));
    // The handshake is done when the peer is listed; the connection's end comes first if the
    // key is not the node's.
    let mut look = tokio::time::interval(Duration::from_millis(5));
    loop {
        tokio::select! {
            _ = &mut connection => {
                let message = format!("{address} hung up during the handshake: is {id} its node id?");
                return Err(ConnectError::HungUp(message));
            }
            _ = look.tick() => {
                if peers.peer_by_node_id(&id).is_some() {
                    break;
                }
            }
        }
    }
    wake();
    let _ = connection.await;
    Ok(())
}

/// A connection to the first of the host's addresses that answers.
async fn dial(address: &str) -> Result<std::net::TcpStream, String> {
    let sockets: Vec<_> = tokio::net::lookup_host(address)
        .await
        .map_err(|error| format!("cannot resolve `{address}`: {error}; write it as host:port"))?
        .collect();
    let silent = || format!("{address} does not answer: check the address, and that the node runs");
    let connected = tokio::time::timeout(DIAL_TIMEOUT, tokio::net::TcpStream::connect(&sockets[..])).await;
    let stream = connected.map_err(|_| silent())?.map_err(|_| silent())?;
    stream.into_std().map_err(|error| format!("{address} hung up: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::secp256k1::{Secp256k1, SecretKey};

    fn pauses_of(lasted: Duration, connections: usize) -> Vec<u64> {
        let mut known = Known::new("peer:9735".into(), None);
        let mut pause = || {
            known.since = Instant::now().checked_sub(lasted);
            known.lost();
            known.next_try.saturating_duration_since(Instant::now()).as_secs_f64().ceil() as u64
        };
        (0..connections).map(|_| pause()).collect()
    }

    async fn cancelled(dial: task::JoinHandle<()>) -> bool {
        let ended = tokio::time::timeout(Duration::from_secs(30), dial).await;
        ended.expect("in time").is_err_and(|why| why.is_cancelled())
    }

    #[tokio::test]
    async fn a_dial_ends_with_its_entry_and_with_the_node() {
        let mut book = PeerBook::load(&[]);
        let dial = tokio::spawn(std::future::pending::<()>());
        let mut known = Known::new("peer:9735".into(), None);
        known.dial = Some(Dial(dial.abort_handle()));
        drop(known);
        assert!(cancelled(dial).await);

        let dial = tokio::spawn(std::future::pending::<()>());
        let mut known = Known::new("peer:9735".into(), None);
        known.dial = Some(Dial(dial.abort_handle()));
        let key = SecretKey::from_slice(&[1; 32]).expect("a valid scalar");
        book.known.insert(key.public_key(&Secp256k1::new()), known);
        book.hang_up();
        assert!(cancelled(dial).await);
    }

    /// An address that is told while the peer is connected may be wrong.
    #[tokio::test]
    async fn an_address_is_proven_by_a_connection_that_was_dialled() {
        let proven = |known: &Known, inbound| known.proven(inbound).cloned();
        let mut known = Known::new("new:9735".into(), Some("old:9735".into()));
        assert_eq!(proven(&known, true), None, "the peer dialled us");
        assert_eq!(proven(&known, false), None, "somebody else dialled, elsewhere");
        let dial = tokio::spawn(std::future::pending::<()>());
        let dialed = |address: &str| Dialed { address: address.into(), reached: Arc::new(true.into()) };
        (known.dial, known.dialed) = (Some(Dial(dial.abort_handle())), dialed("old:9735"));
        assert_eq!(proven(&known, false), None, "nothing new");
        known.dialed = dialed("new:9735");
        assert_eq!(proven(&known, true), None, "the peer dialled us");
        known.dialed.reached.store(false, Ordering::Release);
        assert_eq!(proven(&known, false), None, "somebody else dialled, and this dial is on its way");
        known.dialed.reached.store(true, Ordering::Release);
        assert_eq!(proven(&known, false), Some("new:9735".into()));
        known.reached = None;
        assert_eq!(proven(&known, true), Some("new:9735".into()), "better than none");
    }

    #[test]
    fn who_hangs_up_at_once_is_tried_ever_more_seldom() {
        assert_eq!(pauses_of(Duration::ZERO, 9), [1, 1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn whose_connections_last_is_tried_again_at_once() {
        assert_eq!(pauses_of(Duration::from_secs(2), 9), [1; 9]);
    }
}
