//! A backend that receives and the network behind it, for the simulator of payments to us. It keeps
//! what LDK keeps: what it sealed survives a crash, a part is shown once, a claim that is durable
//! lets its preimage out, and near its deadline a part is failed whatever anybody wants.

use crate::rig::msat;
use crate::world::Random;
use sponte_engine::backend::{
    BackendEvent, Claimable, Claimed, ClaimedPart, Command, FailAs, Purpose, ReceiveFailed, Recovered,
};
use sponte_proto::{BlockHeight, ChannelId, CltvExpiry, PaymentHash, PaymentId};
use std::collections::{BTreeMap, VecDeque};

/// Where a part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Not shown yet: no command is about it.
    Arrived,
    Offered,
    Claimed,
    Failed(FailAs),
}

/// What a crash brings back to the last seal.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    pub parts: BTreeMap<PaymentId, (Claimable, Fate)>,
    pub queue: VecDeque<BackendEvent>,
    pub height: u32,
    history: Vec<BackendEvent>,
}

/// What nothing brings back.
#[derive(Debug, Default)]
pub struct Outside {
    /// All that was ever sent.
    pub sent: BTreeMap<PaymentId, Claimable>,
    /// What became of it for good: whether its preimage left.
    pub ended: BTreeMap<PaymentId, bool>,
    /// What the channels gained.
    pub truth_msat: BTreeMap<ChannelId, i64>,
}

impl Inbox {
    pub fn at(height: u32) -> Inbox {
        Inbox { height, ..Inbox::default() }
    }

    pub fn execute(&mut self, command: &Command) {
        match command {
            Command::Claim(hash, preimage) => {
                assert!(preimage.opens(hash), "a claim opens its hash");
                for (_, fate) in self.of(*hash) {
                    if *fate == Fate::Offered {
                        *fate = Fate::Claimed;
                    }
                }
            }
            Command::Fail(hash, fail_as) => self.fail(*hash, *fail_as),
            Command::Accept(_) => {}
            Command::Route(_) | Command::Send(_) => panic!("nobody pays"),
        }
    }

    fn of(&mut self, hash: PaymentHash) -> impl Iterator<Item = &mut (Claimable, Fate)> {
        self.parts.values_mut().filter(move |(part, _)| part.hash == hash)
    }

    fn fail(&mut self, hash: PaymentHash, fail_as: FailAs) {
        self.fail_those(hash, fail_as, |fate| fate == Fate::Offered);
    }

    fn fail_those(&mut self, hash: PaymentHash, fail_as: FailAs, which: fn(Fate) -> bool) {
        let mut failed = false;
        for (_, fate) in self.of(hash).filter(|(_, fate)| which(*fate)) {
            *fate = Fate::Failed(fail_as);
            failed = true;
        }
        if failed {
            let claiming = self.of(hash).any(|(_, fate)| *fate == Fate::Claimed);
            let waiting = self.of(hash).any(|(_, fate)| matches!(fate, Fate::Arrived | Fate::Offered));
            self.tell_failed(hash, claiming, waiting);
        }
    }

    fn tell_failed(&mut self, hash: PaymentHash, claiming: bool, waiting: bool) {
        let failed = ReceiveFailed { hash, channels: vec![], claiming, waiting };
        self.queue.push_back(BackendEvent::ReceiveFailed(failed));
    }

    /// An HTLC arrives; of a hash that waits or is claimed only parts of the same set are shown.
    pub fn offer(&mut self, part: &Claimable) {
        if self.parts.contains_key(&part.id) {
            return;
        }
        let same_set = |known: &Claimable| match (&known.purpose, &part.purpose) {
            (
                Purpose::Keysend { payment_data: Some(a), .. },
                Purpose::Keysend { payment_data: Some(b), .. },
            ) => a.payment_secret() == b.payment_secret(),
            _ => false,
        };
        let mut fates = vec![];
        for (known, fate) in self.of(part.hash) {
            fates.push((*fate, same_set(known)));
        }
        let claiming = fates.iter().any(|(fate, _)| *fate == Fate::Claimed);
        let waiting = fates.iter().any(|(fate, same)| matches!(fate, Fate::Arrived | Fate::Offered) && !same);
        if claiming || waiting {
            self.parts.insert(part.id, (part.clone(), Fate::Failed(FailAs::Unknown)));
            return self.tell_failed(part.hash, claiming, waiting);
        }
        self.parts.insert(part.id, (part.clone(), Fate::Arrived));
        self.queue.push_back(BackendEvent::Claimable(Box::new(part.clone())));
    }

    /// Blocks come: parts whose deadline has passed are failed, then the tip is told.
    pub fn mine(&mut self, blocks: u32) {
        self.height += blocks;
        self.fail_expired();
        self.queue.push_back(BackendEvent::Block(BlockHeight::new(self.height)));
    }

    fn fail_expired(&mut self) {
        let height = self.height;
        let open: fn(Fate) -> bool = |fate| matches!(fate, Fate::Arrived | Fate::Offered);
        let expired = |(part, fate): &&(Claimable, Fate)| {
            open(*fate) && part.claim_deadline.is_some_and(|at| at.to_u32() <= height)
        };
        let hashes: Vec<_> = self.parts.values().filter(expired).map(|(part, _)| part.hash).collect();
        hashes.into_iter().for_each(|hash| self.fail_those(hash, FailAs::Unknown, open));
    }

    /// What a start does before it tells what survived.
    pub fn restart(&mut self, blocks: u32) {
        for (part, fate) in self.parts.values() {
            if *fate == Fate::Claimed {
                self.queue.push_back(BackendEvent::Claimed(claimed(part)));
            }
        }
        self.height += blocks;
        self.fail_expired();
    }

    pub fn recovered(&self) -> Recovered {
        let here = self.parts.values().filter(|(_, fate)| !matches!(fate, Fate::Failed(_)));
        Recovered {
            parts: vec![],
            inbound: here.map(|(part, _)| part.hash).collect(),
            height: BlockHeight::new(self.height),
        }
    }

    pub fn poll(&mut self) -> Option<BackendEvent> {
        let event = self.queue.pop_front()?;
        if matches!(event, BackendEvent::Claimed(_) | BackendEvent::ReceiveFailed(_)) {
            self.history.push(event.clone());
        }
        let BackendEvent::Claimable(part) = &event else { return Some(event) };
        let surplus = self.is_surplus(part);
        if let Some((_, fate @ Fate::Arrived)) = self.parts.get_mut(&part.id) {
            *fate = if surplus { Fate::Failed(FailAs::Unknown) } else { Fate::Offered };
            if surplus {
                let claiming = self.of(part.hash).any(|(_, fate)| *fate == Fate::Claimed);
                self.tell_failed(part.hash, claiming, !claiming);
                return self.poll();
            }
        }
        Some(event)
    }

    /// Whether the set of an MPP keysend was whole without this part: it is refused, not shown.
    fn is_surplus(&mut self, part: &Claimable) -> bool {
        let Purpose::Keysend { payment_data: Some(data), .. } = &part.purpose else { return false };
        let mut sum_msat = 0;
        for (shown, fate) in self.of(part.hash) {
            if shown.id != part.id && matches!(fate, Fate::Offered | Fate::Claimed) {
                sum_msat += shown.amount.to_msat();
            }
        }
        sum_msat >= data.total().to_msat()
    }

    /// Tells something again, if it still is true of all HTLCs of its hash.
    pub fn repeat(&mut self, random: &mut Random) {
        let Some(event) = random.pick(self.history.iter().cloned()) else { return };
        if let BackendEvent::ReceiveFailed(failed) = &event
            && self.of(failed.hash).any(|(_, fate)| !matches!(fate, Fate::Failed(_)))
        {
            return;
        }
        self.queue.push_back(event);
    }
}

impl Outside {
    /// What is durable leaves: preimages and failures.
    pub fn release(&mut self, durable: &Inbox, live: &mut Inbox, mut may_leave: impl FnMut(&Claimable)) {
        for (id, (part, fate)) in &durable.parts {
            if self.ended.contains_key(id) || matches!(fate, Fate::Arrived | Fate::Offered) {
                continue;
            }
            let claims = *fate == Fate::Claimed;
            self.ended.insert(*id, claims);
            if !claims {
                continue;
            }
            may_leave(part);
            let told = claimed(part);
            for htlc in &told.parts {
                *self.truth_msat.entry(htlc.channel).or_default() += htlc.amount.to_msat().cast_signed();
            }
            live.queue.push_back(BackendEvent::Claimed(told));
        }
    }

    /// Peers send again what a crash made the backend forget.
    pub fn retransmit(&self, inbox: &mut Inbox) {
        for (id, part) in &self.sent {
            if !self.ended.contains_key(id) {
                inbox.offer(part);
            }
        }
    }
}

/// Each channel carried its share.
fn claimed(part: &Claimable) -> Claimed {
    let each = part.amount.to_msat() / part.channels.len() as u64;
    let rest = part.amount.to_msat() - each * (part.channels.len() as u64 - 1);
    let htlc = |(nth, channel): (usize, &ChannelId)| ClaimedPart {
        channel: *channel,
        amount: msat(if nth == 0 { rest } else { each }),
        expiry: part.expiry.unwrap_or(CltvExpiry::new(0)),
    };
    Claimed { id: part.id, hash: part.hash, parts: part.channels.iter().enumerate().map(htlc).collect() }
}
