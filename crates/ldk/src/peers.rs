//! Who we stay connected to, and the connections in the making.

use crate::Ldk;
use crate::convert::{node_id, public_key};
use crate::persist::Persister;
use bitcoin::secp256k1::PublicKey;
use sponte_engine::backend::{Peer, Refusal, RefusalKind, Reply};
use sponte_proto::NodeId;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Addresses of peers, by node id.
const PEERS: &str = "ldk.peers";
const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// Peers that we connect to, and when to try next.
pub(crate) struct PeerBook {
    known: BTreeMap<PublicKey, Known>,
    results: Receiver<(PublicKey, Result<(), String>)>,
    report: Sender<(PublicKey, Result<(), String>)>,
}

struct Known {
    address: String,
    connecting: bool,
    delay: Duration,
    next_try: Instant,
    /// Callers who wait for the connection.
    waiting: Vec<Reply<()>>,
}

impl Known {
    fn new(address: String) -> Known {
        let (delay, next_try) = (FIRST_DELAY, Instant::now());
        Known { address, connecting: false, delay, next_try, waiting: vec![] }
    }

    fn back_off(&mut self) {
        self.next_try = Instant::now() + self.delay;
        self.delay = (self.delay * 2).min(LONGEST_DELAY);
    }
}

impl PeerBook {
    /// From what was stored: keys are node ids, values are addresses.
    pub(crate) fn load(entries: &[(String, Vec<u8>)]) -> PeerBook {
        let known = entries.iter().filter_map(|(id, address)| {
            let id = public_key(&id.parse().ok()?)?;
            Some((id, Known::new(String::from_utf8(address.clone()).ok()?)))
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

    fn remember(&mut self, id: PublicKey, address: String, persister: &Persister) -> &mut Known {
        let known = self.known.entry(id).or_insert_with(|| Known::new(String::new()));
        if known.address != address {
            persister.put(PEERS, &node_id(&id).to_string(), address.clone().into_bytes());
            known.address = address;
        }
        known
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
        let connected = self.node.peers.peer_by_node_id(&id).is_some();
        let known = self.peers.remember(id, address, &self.node.persister);
        if connected {
            return reply(Ok(()));
        }
        known.waiting.push(reply);
        known.delay = FIRST_DELAY;
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
        self.peers.known.remove(&id);
        self.node.persister.delete(PEERS, &node_id(&id).to_string());
        self.node.peers.disconnect_by_node_id(id);
        reply(Ok(()));
    }

    /// Takes results, starts what is due, answers who waits. Called in every step.
    pub(crate) fn drive_connections(&mut self) {
        while let Ok((id, result)) = self.peers.results.try_recv() {
            let Some(known) = self.peers.known.get_mut(&id) else { continue };
            known.connecting = false;
            if let Err(message) = result {
                if self.node.peers.peer_by_node_id(&id).is_some() {
                    // It reached us first; the next pass answers who waits.
                    continue;
                }
                known.back_off();
                for reply in known.waiting.drain(..) {
                    reply(Err(Refusal::new(RefusalKind::Unavailable, message.clone())));
                }
            }
        }
        if !self.started {
            return;
        }
        let now = Instant::now();
        for (id, known) in &mut self.peers.known {
            if self.node.peers.peer_by_node_id(id).is_some() {
                known.delay = FIRST_DELAY;
                known.next_try = now + FIRST_DELAY;
                known.waiting.drain(..).for_each(|reply| reply(Ok(())));
            } else if !known.connecting && known.next_try <= now {
                known.connecting = true;
                known.back_off();
                let (peers, report, wake) =
                    (self.node.peers.clone(), self.peers.report.clone(), self.waker.clone());
                let (id, address) = (*id, known.address.clone());
                self.runtime.spawn(async move {
                    let result = connect_once(peers, id, &address, || wake()).await;
                    let _ = report.send((id, result));
                    wake();
                });
            }
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
async fn connect_once(
    peers: std::sync::Arc<crate::types::PeerManager>,
    id: PublicKey,
    address: &str,
    wake: impl Fn(),
) -> Result<(), String> {
    let mut found = tokio::net::lookup_host(address)
        .await
        .map_err(|error| format!("cannot resolve `{address}`: {error}; write it as host:port"))?;
    let socket = found.next().ok_or_else(|| format!("`{address}` has no address: check the host's name"))?;
    let connection = lightning_net_tokio::connect_outbound(peers.clone(), id, socket).await;
    let connection = connection
        .ok_or_else(|| format!("{address} does not answer: check the address, and that the node runs"))?;
    let mut connection = std::pin::pin!(connection);
    // The handshake is done when the peer is listed; the connection's end comes first if the
    // key is not the node's.
    let mut look = tokio::time::interval(Duration::from_millis(5));
    loop {
        tokio::select! {
            () = &mut connection => {
                return Err(format!("{address} hung up during the handshake: is {id} its node id?"));
            }
            _ = look.tick() => {
                if peers.peer_by_node_id(&id).is_some() {
                    break;
                }
            }
        }
    }
    wake();
    connection.await;
    Ok(())
}
