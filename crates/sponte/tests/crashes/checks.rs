//! What must be so in the end.

use crate::node::Node;
use crate::payers::Asked;
use crate::until::{Outcome, until};
use crate::world::{CHANNELS, World};
use sponte_api::{ChannelState, Direction, EventsQuery, Payment, PaymentsQuery, State, Verdict};
use sponte_proto::PaymentHash;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// How many rows are asked for at once.
const PAGE: u32 = 1_000;

/// What was counted on the way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub settled: usize,
    pub failed: usize,
}

/// Everything: ledgers, channels, audit, logs. Waits until nothing is under way first.
pub async fn all(world: &World, asked: &[Asked]) -> Outcome<Counts> {
    settled_down(world).await?;
    let counts = ledgers(world, asked).await?;
    for (node, channels) in world.nodes.iter().zip(CHANNELS) {
        channels_stand(node, channels).await?;
    }
    world.nodes.iter().try_for_each(no_panic)?;
    Ok(counts)
}

/// Waits until nothing is under way and the books have all of it.
pub async fn settled_down(world: &World) -> Outcome<()> {
    quiet(world).await?;
    for node in &world.nodes {
        audited(node).await?;
    }
    Ok(())
}

/// Whether nothing is under way, and the books have all of it: one look.
pub async fn is_settled_down(world: &World) -> bool {
    for node in &world.nodes {
        if !audited_now(node).await {
            return false;
        }
    }
    world.is_connected().await
}

/// Whether nothing is under way at a node, and its books have all of it: one look. A channel with
/// HTLCs cannot be compared, so its line does not agree.
pub async fn audited_now(node: &Node) -> bool {
    let Ok(client) = node.client() else { return false };
    let report = client.audit().await;
    report.is_ok_and(|report| report.lines.iter().all(|line| line.verdict == Verdict::Agrees))
}

/// Waits until both channels are usable and without HTLCs at all ends.
pub async fn quiet(world: &World) -> Outcome<()> {
    world.usable().await?;
    for node in &world.nodes {
        until(&format!("{} has no HTLCs", node.name), async || {
            let list = node.client()?.channels().await.map_err(|why| why.to_string())?;
            Ok(list.channels.iter().all(|channel| channel.htlcs == 0).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// Each key was paid at most once, and both ends say the same of it.
pub async fn ledgers(world: &World, asked: &[Asked]) -> Outcome<Counts> {
    let mut sent: Vec<BTreeMap<String, Payment>> = vec![];
    let mut received: Vec<BTreeMap<PaymentHash, Payment>> = vec![];
    for node in &world.nodes {
        sent.push(outgoing(node).await?);
        received.push(incoming(node).await?);
    }
    let mut counts = Counts::default();
    for ask in asked {
        let key = ask.key();
        let Some(payment) = sent[ask.from].remove(key) else {
            return Err(format!("{key} is not in the sender's ledger"));
        };
        match payment.state {
            State::Pending | State::Held => return Err(format!("{key} is pending")),
            State::Settled => {
                counts.settled += 1;
                let Some(arrived) = payment.hash.and_then(|hash| received[ask.to].remove(&hash)) else {
                    return Err(format!("{key} is settled at the sender's end alone"));
                };
                same(ask, &payment, &arrived)?;
            }
            State::Failed | State::Canceled => counts.failed += 1,
        }
    }
    // What is left was paid by no key, or by one that says that it is not.
    for (node, (sent, received)) in world.nodes.iter().zip(sent.iter().zip(&received)) {
        if let Some(key) = sent.keys().next() {
            return Err(format!("{} sent {key}, for which nobody asked", node.name));
        }
        if let Some(payment) = received.values().find(|payment| payment.state != State::Failed) {
            return Err(format!("{} has received {payment:?}, which nobody says to have paid", node.name));
        }
    }
    Ok(counts)
}

fn same(ask: &Asked, sent: &Payment, arrived: &Payment) -> Outcome<()> {
    let amount = ask.request.amount_msat;
    let good = arrived.state == State::Settled
        && arrived.amount_msat == amount
        && sent.amount_msat == amount
        && sent.preimage_hex.is_some()
        && sent.preimage_hex == arrived.preimage_hex
        && arrived.message() == ask.request.message.as_deref();
    if good { Ok(()) } else { Err(format!("the ends disagree: {sent:?}, {arrived:?}")) }
}

async fn outgoing(node: &Node) -> Outcome<BTreeMap<String, Payment>> {
    let mut all = BTreeMap::new();
    for payment in payments(node, Direction::Out).await? {
        let key = payment.key.clone().unwrap_or_default();
        if all.insert(key.clone(), payment).is_some() {
            return Err(format!("{} has two payments with the key {key}", node.name));
        }
    }
    Ok(all)
}

async fn incoming(node: &Node) -> Outcome<BTreeMap<PaymentHash, Payment>> {
    let mut all = BTreeMap::new();
    for payment in payments(node, Direction::In).await? {
        let settled = payment.state == State::Settled;
        let Some(hash) = payment.hash else { return Err(format!("{payment:?} has no hash")) };
        let before = all.insert(hash, payment);
        if before.is_some_and(|before: Payment| before.state == State::Settled && settled) {
            return Err(format!("{} was paid twice with the hash {hash}", node.name));
        }
    }
    Ok(all)
}

async fn payments(node: &Node, direction: Direction) -> Outcome<Vec<Payment>> {
    let client = node.client()?;
    let mut query =
        PaymentsQuery { direction: Some(direction), limit: Some(PAGE), ..PaymentsQuery::default() };
    let mut all = vec![];
    loop {
        let page = client.payments(&query).await.map_err(|why| format!("{}: {why}", node.name))?;
        all.extend(page.payments);
        match page.next {
            Some(next) => query.before = Some(next),
            None => return Ok(all),
        }
    }
}

/// So many channels are open, none is closing, and none was ever closed.
async fn channels_stand(node: &Node, channels: u32) -> Outcome<()> {
    let list = node.client()?.channels().await.map_err(|why| why.to_string())?.channels;
    let usable = list.iter().filter(|channel| channel.state == ChannelState::Usable).count();
    if usable != channels as usize || list.len() != usable {
        return Err(format!("{}'s channels: {list:?}", node.name));
    }
    match events(node, "channel_closed").await?.first() {
        None => Ok(()),
        Some(detail) => Err(format!("{} closed a channel: {detail}", node.name)),
    }
}

/// What all events of a kind say.
pub async fn events(node: &Node, kind: &str) -> Outcome<Vec<String>> {
    let client = node.client()?;
    let mut query = EventsQuery { limit: Some(PAGE), ..EventsQuery::default() };
    let mut found = vec![];
    loop {
        let page = client.events(&query).await.map_err(|why| format!("{}: {why}", node.name))?.events;
        let Some(last) = page.last() else { return Ok(found) };
        query.after = last.seq;
        let told = page.into_iter().filter(|event| event.kind == kind);
        found.extend(told.map(|event| {
            let channel = event.channel.map(|channel| channel.to_string()).unwrap_or_default();
            format!("{channel} {}", event.detail)
        }));
    }
}

/// The books agree, line by line, but for channels that are closing.
pub async fn audited_or_closing(node: &Node) -> Outcome<()> {
    let report = node.client()?.audit().await.map_err(|why| format!("{}: {why}", node.name))?;
    if report.clean { Ok(()) } else { Err(format!("{}'s books: {:?}", node.name, report.lines)) }
}

/// The books agree, line by line.
pub async fn audited(node: &Node) -> Outcome<()> {
    let mut open = BTreeSet::new();
    let what = format!("{}'s books agree", node.name);
    let agrees = until(&what, async || {
        let report = node.client()?.audit().await.map_err(|why| format!("{}: {why}", node.name))?;
        let left = report.lines.into_iter().filter(|line| line.verdict != Verdict::Agrees);
        open = left.map(|line| line.text).collect();
        Ok((report.clean && open.is_empty()).then_some(()))
    })
    .await;
    agrees.map_err(|why| format!("{why}: {open:?}"))
}

/// All that a look from outside finds damaged, whoever still runs.
pub async fn damage(world: &World) -> Vec<String> {
    let mut found = vec![];
    for node in &world.nodes {
        found.extend(no_panic(node).err());
        let closed = events(node, "channel_closed").await.unwrap_or_default();
        found.extend(closed.into_iter().map(|detail| format!("{} closed {detail}", node.name)));
        let Ok(client) = node.client() else { continue };
        let report = client.audit().await.ok().filter(|report| !report.clean);
        let lines = report.into_iter().flat_map(|report| report.lines);
        let differs = lines.filter(|line| line.verdict == Verdict::Differs);
        found.extend(differs.map(|line| format!("{}: {}", node.name, line.text)));
    }
    found
}

/// No thread of any of its processes panicked.
pub fn no_panic(node: &Node) -> Outcome<()> {
    let log = fs::read(&node.log).map_err(|why| format!("cannot read {}: {why}", node.log.display()))?;
    let log = String::from_utf8_lossy(&log);
    match log.lines().find(|line| line.contains("panicked at")) {
        None => Ok(()),
        Some(line) => Err(format!("{}: {line}; see {}", node.name, node.log.display())),
    }
}
