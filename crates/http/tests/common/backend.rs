//! Lightning, played.

use super::sending;
use sponte_engine::backend::{
    Admin, Backend, BackendEvent, ChannelOpened, Claimable, Claimed, ClaimedPart, CoinsSent, Command,
    MadeInvoice, NodeInfo, Peer, Purpose, ReceiveFailed, Recovered, Refusal, RefusalKind, Sealed, Send,
    WalletBalance,
};
use sponte_node::Waker;
use sponte_proto::{
    BlockHeight, ChannelId, CltvExpiry, Msat, NodeId, PaymentHash, PaymentId, Preimage, Records, Sat, Txid,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// A node id that is told apart by a byte.
pub fn node_id(byte: u8) -> NodeId {
    let mut bytes = [byte; 33];
    bytes[0] = 2;
    NodeId::from_bytes(bytes).expect("starts with 02")
}

/// What the test and the backend both reach.
#[derive(Default)]
pub struct Shared {
    pub waker: Option<Waker>,
    pub info: Option<NodeInfo>,
    pub peers: Vec<Peer>,
    events: Vec<BackendEvent>,
    silent: Vec<Send>,
    received: HashMap<PaymentId, Msat>,
}

impl Shared {
    pub fn receive(&mut self, preimage: Preimage, amount: Msat, records: Records) {
        let id = PaymentId::from_bytes([5; 32]);
        self.received.insert(id, amount);
        self.events.push(BackendEvent::Claimable(Box::new(Claimable {
            id,
            hash: preimage.payment_hash(),
            amount,
            channels: vec![channel()],
            expiry: None,
            claim_deadline: None,
            records,
            purpose: Purpose::Keysend { preimage, payment_data: None },
        })));
        self.wake();
    }

    pub fn answer_silent(&mut self) {
        let ended: Vec<_> = self.silent.drain(..).map(|send| sending::ended(&send)).collect();
        self.events.extend(ended);
        self.wake();
    }

    fn wake(&self) {
        self.waker.as_ref().expect("the node has started").wake();
    }
}

pub struct Played {
    shared: Arc<Mutex<Shared>>,
    number: u64,
    dirty: bool,
}

pub fn channel() -> ChannelId {
    ChannelId::from_bytes([8; 32])
}

impl Played {
    pub fn new(shared: Arc<Mutex<Shared>>) -> Played {
        Played { shared, number: 0, dirty: false }
    }

    fn send(&mut self, send: Send) {
        let mut shared = self.shared.lock().expect("no panic");
        match sending::waits(&send) {
            true => shared.silent.push(send),
            false => shared.events.push(sending::ended(&send)),
        }
    }
}

impl Backend for Played {
    fn poll(&mut self) -> Vec<BackendEvent> {
        let events = std::mem::take(&mut self.shared.lock().expect("no panic").events);
        self.dirty |= !events.is_empty();
        events
    }

    fn execute(&mut self, command: Command) {
        self.dirty = true;
        match command {
            Command::Route(request) => {
                let routes = BackendEvent::Routes(Box::new(sending::routes(&request)));
                self.shared.lock().expect("no panic").events.push(routes);
            }
            Command::Send(send) => self.send(*send),
            Command::Claim(hash, _) => {
                let id = PaymentId::from_bytes([5; 32]);
                let mut shared = self.shared.lock().expect("no panic");
                let amount = shared.received[&id];
                let parts = vec![ClaimedPart { channel: channel(), amount, expiry: CltvExpiry::new(500) }];
                shared.events.push(BackendEvent::Claimed(Claimed { id, hash, parts }));
            }
            Command::Accept(_) => {}
            Command::Fail(hash, _) => {
                let failed = BackendEvent::ReceiveFailed(ReceiveFailed {
                    hash,
                    channels: vec![],
                    claiming: false,
                    waiting: false,
                });
                self.shared.lock().expect("no panic").events.push(failed);
            }
        }
    }

    fn admin(&mut self, request: Admin) {
        let mut shared = self.shared.lock().expect("no panic");
        let refuse = |kind, words: &str| Refusal::new(kind, words);
        match request {
            Admin::Invoice(_, reply) => {
                let hash = PaymentHash::from_bytes([9; 32]);
                reply(Ok(MadeInvoice { bolt11: "lnbcrt1made".into(), hash }));
            }
            Admin::AmpInvoice(_, reply) => reply(Ok("lnbcrt1signed".into())),
            Admin::ReadPayable(text, reply) => reply(sending::read_payable(&text)),
            Admin::FetchInvoice(request, reply) => reply(sending::fetch_invoice(&request)),
            Admin::Connect(id, address, reply) if address.ends_with(":1") => {
                let words = format!("{id} does not answer at {address}: check the address");
                reply(Err(Refusal::new(RefusalKind::Unavailable, words)));
            }
            Admin::Connect(id, address, reply) => {
                let peer = Peer { id, address: Some(address), connected: true, outbound: true, channels: 0 };
                shared.peers.push(peer);
                reply(Ok(()));
            }
            Admin::Disconnect(id, reply) => {
                let before = shared.peers.len();
                shared.peers.retain(|peer| peer.id != id);
                let gone = shared.peers.len() < before;
                reply(if gone { Ok(()) } else { Err(refuse(RefusalKind::NotFound, "no such peer")) });
            }
            Admin::OpenChannel(open, reply) if open.value.to_sat() > 1_000_000 => {
                reply(Err(refuse(RefusalKind::Conflict, "the wallet holds less: send coins to it")));
            }
            Admin::OpenChannel(_, reply) => {
                reply(Ok(ChannelOpened { channel: channel(), funding: Txid::from_bytes([4; 32]) }));
            }
            Admin::CloseChannel { reply, .. } => reply(Err(refuse(RefusalKind::NotFound, "no such channel"))),
            Admin::Address(reply) => reply(Ok("bcrt1q".into())),
            Admin::SendCoins(coins, reply) => reply(Ok(CoinsSent {
                txid: Txid::from_bytes([6; 32]),
                amount: coins.amount.unwrap_or(Sat::new(77).expect("small")),
                fee: Sat::new(1).expect("small"),
            })),
            Admin::Info(reply) => reply(Ok(shared.info.clone().unwrap_or_else(info))),
            Admin::Channels(reply) => reply(Ok(vec![])),
            Admin::Peers(reply) => reply(Ok(shared.peers.clone())),
            Admin::Balance(reply) => reply(Ok(WalletBalance::default())),
        }
    }

    fn recovered(&mut self) -> Result<Recovered, Refusal> {
        Ok(Recovered::default())
    }

    fn seal(&mut self) -> Option<Sealed> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        self.number += 1;
        Some(Sealed { number: self.number, kv: Default::default() })
    }

    fn committed(&mut self, _number: u64) {}

    fn start(&mut self) {}

    fn stop(&mut self) {}
}

/// A node that nobody can pay.
pub fn info() -> NodeInfo {
    NodeInfo {
        id: node_id(2),
        alias: "played".into(),
        network: "regtest".into(),
        height: BlockHeight::new(101),
        block_hash: "00".repeat(32),
        chain_silent_seconds: None,
        chain_error: None,
        tip_age_seconds: 3,
        listening: None,
        peers: 0,
        graph_nodes: 0,
        graph_channels: 0,
        balance: WalletBalance::default(),
        channels_usable: 0,
        channels: 0,
        sendable: Msat::ZERO,
        sendable_in_one_part: Msat::ZERO,
        receivable: Msat::ZERO,
    }
}
