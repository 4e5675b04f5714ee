//! A backend and the network behind it, for the simulator. The backend keeps what LDK keeps:
//! what it sealed survives a crash, events that were not handled by then come again, and nothing
//! leaves before it is durable. The network never forgets.

use crate::payee::{self, End, Payee};
use sponte_engine::backend::{
    BackendEvent, Claimable, Claimed, ClaimedPart, Command, Purpose, ReceiveFailed, Recovered, Send,
    SendFailed,
};
use sponte_engine::commit::PartFailure;
use sponte_proto::{BlockHeight, ChannelId, CltvExpiry, PaymentHash, PaymentId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::rig::{HEIGHT, channel, keysend, msat, node};

/// SplitMix64: the same seed, the same world.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Clone>(&mut self, from: impl IntoIterator<Item = T>) -> Option<T> {
        let from: Vec<T> = from.into_iter().collect();
        (!from.is_empty()).then(|| from[self.below(from.len())].clone())
    }
}

/// Where the HTLCs of a payment to us stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound {
    Offered,
    Claimed,
    Failed,
}

/// What a crash brings back to the last seal.
#[derive(Clone, Debug, Default)]
pub struct Backend {
    pub parts: BTreeMap<PaymentId, Send>,
    pub inbound: BTreeMap<PaymentHash, (Claimable, Inbound)>,
    pub queue: VecDeque<BackendEvent>,
    /// Facts of the network that were told.
    told: usize,
    /// Events that may be repeated at any time.
    history: Vec<BackendEvent>,
}

/// What nothing brings back.
#[derive(Debug, Default)]
pub struct Network {
    /// Where our payments go.
    pub payee: Payee,
    /// Hashes whose preimages left.
    pub released: BTreeSet<PaymentHash>,
    /// Forwards and the like, in order.
    pub facts: Vec<BackendEvent>,
    accounted: BTreeSet<PaymentId>,
    /// What the channels really hold.
    pub truth_msat: BTreeMap<ChannelId, i64>,
}

impl Backend {
    /// Does what the engine decided.
    pub fn execute(&mut self, command: Command, random: &mut Random) {
        match command {
            Command::Route(request) => {
                let routes = payee::routes(&request, &[node(5), node(6)], random);
                self.queue.push_back(BackendEvent::Routes(Box::new(routes)));
            }
            Command::Send(send) => self.send(*send, random),
            Command::Claim(hash, _) => {
                if let Some((_, state @ Inbound::Offered)) = self.inbound.get_mut(&hash) {
                    *state = Inbound::Claimed;
                }
            }
            Command::Fail(hash, _) => self.fail(hash),
            Command::Accept(_) => {}
        }
    }

    fn send(&mut self, send: Send, random: &mut Random) {
        let part = send.part;
        if random.one_in(8) {
            let failed = SendFailed { part, why: PartFailure::NEVER_LEFT };
            return self.queue.push_back(BackendEvent::PartFailed(failed));
        }
        let known = self.parts.insert(part, send);
        assert!(known.is_none(), "a part's id is never used again");
    }

    pub fn fail(&mut self, hash: PaymentHash) {
        if let Some((_, state @ Inbound::Offered)) = self.inbound.get_mut(&hash) {
            *state = Inbound::Failed;
            self.queue.push_back(BackendEvent::ReceiveFailed(received_failed(hash, false)));
        }
    }

    /// What a start does before anything else: claims are told again, and offers come again that
    /// nobody took.
    pub fn restart(&mut self) {
        for (claimable, state) in self.inbound.values() {
            match state {
                Inbound::Claimed => self.queue.push_back(claimed(claimable)),
                Inbound::Offered => {
                    self.queue.push_back(BackendEvent::Claimable(Box::new(claimable.clone())))
                }
                Inbound::Failed => {}
            }
        }
    }

    pub fn recovered(&self) -> Recovered {
        let held = self.inbound.iter().filter(|(_, (_, state))| *state != Inbound::Failed);
        Recovered {
            parts: self.parts.keys().copied().collect(),
            inbound: held.map(|(hash, _)| *hash).collect(),
            height: BlockHeight::new(HEIGHT),
        }
    }

    /// The next event, in order; it may come twice.
    pub fn poll(&mut self, random: &mut Random) -> Option<BackendEvent> {
        let event = self.queue.pop_front()?;
        // Of a claimable payment the door says that it comes once.
        if !matches!(event, BackendEvent::Claimable(_)) {
            if random.one_in(6) {
                self.queue.push_back(event.clone());
            }
            self.history.push(event.clone());
        }
        Some(event)
    }

    /// Tells something again that was told long ago.
    pub fn repeat(&mut self, random: &mut Random) {
        if let Some(event) = random.pick(self.history.iter().cloned()) {
            self.queue.push_back(event);
        }
    }

    /// Tells what the network knows and we do not.
    pub fn tell_facts(&mut self, network: &Network) {
        self.queue.extend(network.facts[self.told..].iter().cloned());
        self.told = network.facts.len();
    }
}

impl Network {
    /// Somebody pays us. Further HTLCs of a hash that is being claimed fail by themselves.
    pub fn offer(&mut self, backend: &mut Backend, number: u8) {
        let claimable = keysend(number);
        let hash = claimable.hash;
        match backend.inbound.get(&hash) {
            None => {}
            Some((_, Inbound::Claimed)) if !self.released.contains(&hash) => {
                let failed = BackendEvent::ReceiveFailed(received_failed(hash, true));
                return backend.queue.push_back(failed);
            }
            Some(_) => return,
        }
        backend.queue.push_back(BackendEvent::Claimable(Box::new(claimable.clone())));
        backend.inbound.insert(claimable.hash, (claimable, Inbound::Offered));
    }

    /// Preimages of durable claims leave; the claims are told.
    pub fn release(&mut self, durable: &Backend, live: &mut Backend) {
        for (hash, (claimable, state)) in &durable.inbound {
            if *state == Inbound::Claimed && self.released.insert(*hash) {
                assert!(matches!(claimable.purpose, Purpose::Keysend { .. }));
                let BackendEvent::Claimed(claimed) = claimed(claimable) else { unreachable!("made so") };
                for part in claimed.parts {
                    *self.truth_msat.entry(part.channel).or_default() += part.amount.to_msat().cast_signed();
                }
                live.queue.push_back(BackendEvent::Claimed(claimed_of(claimable)));
            }
        }
    }

    /// One durable part moves on, and its end is told.
    pub fn resolve(&mut self, durable: &Backend, live: &mut Backend, random: &mut Random) {
        let on_their_way = durable.parts.keys().filter(|part| live.parts.contains_key(part)).copied();
        let Some(part) = random.pick(on_their_way) else { return };
        let send = live.parts[&part].clone();
        let paid_before = self.payee.ends.len();
        let end = self.payee.advance(part, &send, random);
        if self.payee.ends.len() > paid_before {
            self.account(live);
        }
        let Some(end) = end else { return };
        live.parts.remove(&part);
        live.queue.push_back(match end {
            End::Paid(preimage) => BackendEvent::PartSent { part, preimage },
            End::Failed(why) => BackendEvent::PartFailed(SendFailed { part, why }),
        });
    }

    /// What was paid has left our channels. All parts of a set that is claimed are on their way.
    fn account(&mut self, live: &Backend) {
        for (part, end) in &self.payee.ends {
            let Some(send) = live.parts.get(part) else { continue };
            if matches!(end, End::Paid(_)) && self.accounted.insert(*part) {
                let gross = send.route.amount().to_msat() + send.route.fee().to_msat();
                *self.truth_msat.entry(send.route.channel).or_default() -= gross.cast_signed();
            }
        }
    }

    /// A payment of others passes through us.
    pub fn forward(&mut self, random: &mut Random) {
        let amount = 1_000 + random.next() % 1_000;
        let key = format!("{}", self.facts.len());
        let forward = sponte_engine::backend::Forward {
            key,
            incoming: vec![(channel(1), msat(amount + 7))],
            outgoing: vec![(channel(2), msat(amount))],
        };
        for (channel, amount) in &forward.incoming {
            *self.truth_msat.entry(*channel).or_default() += amount.to_msat().cast_signed();
        }
        for (channel, amount) in &forward.outgoing {
            *self.truth_msat.entry(*channel).or_default() -= amount.to_msat().cast_signed();
        }
        self.facts.push(BackendEvent::Forwarded(forward));
        let usable = BackendEvent::ChannelReady { channel: channel(1), peer: node(5) };
        self.facts.push(usable);
    }
}

fn received_failed(hash: PaymentHash, claiming: bool) -> ReceiveFailed {
    ReceiveFailed { hash, channels: vec![], claiming, waiting: false }
}

fn claimed_of(claimable: &Claimable) -> Claimed {
    let part = ClaimedPart {
        channel: claimable.channels[0],
        amount: claimable.amount,
        expiry: CltvExpiry::new(800_000),
    };
    Claimed { id: claimable.id, hash: claimable.hash, parts: vec![part] }
}

fn claimed(claimable: &Claimable) -> BackendEvent {
    BackendEvent::Claimed(claimed_of(claimable))
}
