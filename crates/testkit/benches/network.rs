//! A thousand random payments over seven nodes, by our sender and by LDK's own.
//!
//! Each method has a network of its own, made in the same way, and the same payments from the same
//! seed: to any of the six others, the amount log-uniform between 1 sat and nearly all that the
//! payer has in one channel. Of the six, one asks ten times the fee that it announces, one fails
//! all that it is to forward in every fourth payment; most channels are unbalanced, two saturated.
//! A payment that is settled is paid back by its receiver, by LDK's own keysend, so that the
//! channels do not run dry; the next begins when no HTLC is left anywhere.
//!
//! No time is measured, so the tests' profile will do: `cargo test -p sponte-testkit --bench network`.
//! How many payments, and how often HTLCs of each may leave, may follow `--`; else 1000 and 10.

use sponte_engine::commit::{Kind, State};
use sponte_engine::default_max_fee;
use sponte_node::PaymentRequest;
use sponte_proto::{Msat, NodeId};
use sponte_testkit::{Forwards, Keysend, Net, RawConfig, RawNode, TestNode, until};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SEED: u64 = 5;
const VALUE_SAT: u64 = 1_000_000;
/// The payer's balance in each of its channels.
const OURS_SAT: u64 = 500_000;
const LARGEST_SAT: f64 = 480_000.0;
const FINAL_CLTV: u16 = 144;
/// Our sender looks again for routes that failed before, until its time is over; LDK's does not.
const TIMEOUT_MS: u64 = 10_000;

/// Names, what each asks, what it says that it asks, in satoshi. Lea lies.
const OTHERS: [(&str, u64, u64); 6] =
    [("ada", 1, 1), ("ben", 5, 5), ("cem", 2, 2), ("lea", 30, 3), ("eva", 1, 1), ("fox", 4, 4)];
/// From, to, and what stands at the first one's end in thousands of satoshi.
const CHANNELS: [(usize, usize, u64); 9] = [
    (0, 3, 150), // unbalanced, as most of them
    (0, 4, 100),
    (0, 1, 500),
    (1, 4, 300),
    (1, 5, 1_000), // saturated
    (2, 3, 200),
    (2, 5, 20), // saturated the other way
    (3, 5, 300),
    (4, 5, 400),
];
/// Who has a channel with the payer.
const NEIGHBOURS: [usize; 3] = [0, 1, 2];
/// Eva, who fails everything that she is to forward every fourth payment.
const FAILING: usize = 4;

/// What both senders are told.
#[derive(Clone, Copy)]
struct Told {
    payments: u32,
    /// How often an HTLC may leave.
    tries: u32,
}

enum Payer {
    Ours(Box<TestNode>, Option<Kind>),
    Ldk(RawNode),
}

impl Payer {
    fn id(&self) -> NodeId {
        match self {
            Payer::Ours(node, _) => node.id(),
            Payer::Ldk(node) => node.id(),
        }
    }

    async fn address(&self) -> String {
        match self {
            Payer::Ours(node, _) => node.info().await.listening.expect("it listens"),
            Payer::Ldk(node) => node.address(),
        }
    }

    async fn knows(&self, channels: usize) -> bool {
        match self {
            Payer::Ours(node, _) => node.info().await.graph_channels as usize == channels,
            Payer::Ldk(node) => node.known_directions() == 2 * channels,
        }
    }

    async fn htlcs(&self) -> usize {
        match self {
            Payer::Ours(node, _) => node.channels().await.iter().map(|channel| channel.htlcs as usize).sum(),
            Payer::Ldk(node) => node.htlcs(),
        }
    }

    /// What it cost, or why it was not paid.
    async fn pay(&self, to: NodeId, amount: Msat, tries: u32) -> Result<Msat, String> {
        match self {
            Payer::Ours(node, kind) => {
                let request = PaymentRequest {
                    kind: *kind,
                    fall_back: Some(kind.is_none()),
                    timeout_ms: TIMEOUT_MS,
                    max_attempts: tries,
                    amount,
                    ..TestNode::request_to(to, "1sat")
                };
                let id = node.begin(request).await.expect("a sound request");
                // A set that stays incomplete is given back after a minute.
                let row = node.handle().payment_ended(id, Duration::from_secs(300)).await;
                let row = row.expect("the ledger reads");
                match row.state {
                    State::Settled => Ok(row.fee),
                    _ => Err(row.failure.map_or("nothing said".into(), |why| why.code)),
                }
            }
            Payer::Ldk(node) => node.pay(keysend(to, amount, tries)).await,
        }
    }
}

fn keysend(to: NodeId, amount: Msat, tries: u32) -> Keysend {
    let (max_fee, retries) = (default_max_fee(amount), tries - 1);
    Keysend { to, amount, max_fee, retries, final_cltv: FINAL_CLTV }
}

fn sat(sat: u64) -> Msat {
    Msat::from_sat(sat).expect("in supply")
}

struct Seven {
    net: Net,
    payer: Payer,
    others: Vec<RawNode>,
}

impl Seven {
    async fn start(make: impl AsyncFnOnce(&Net) -> Payer) -> Seven {
        let net = Net::start().await;
        let payer = make(&net).await;
        let mut others = vec![];
        for (name, fee, said) in OTHERS {
            let config = RawConfig { announced_fee: sat(said), ..RawConfig::asking(sat(fee)) };
            others.push(RawNode::start_with(&net, name, config).await);
        }
        let seven = Seven { net, payer, others };
        seven.open().await;
        seven
    }

    async fn open(&self) {
        for neighbour in NEIGHBOURS {
            let raw = &self.others[neighbour];
            raw.connect(self.payer.id(), &self.payer.address().await).await;
            raw.begin_open(self.payer.id(), VALUE_SAT, sat(OURS_SAT)).await;
        }
        for (from, to, at_first) in CHANNELS {
            let (from, to) = (&self.others[from], &self.others[to]);
            from.connect(to.id(), &to.address()).await;
            from.begin_open(to.id(), VALUE_SAT, sat(VALUE_SAT - 1_000 * at_first)).await;
        }
        self.net.mempool_holds(NEIGHBOURS.len() + CHANNELS.len()).await;
        self.net.chain().mine(6).await;
        let channels = NEIGHBOURS.len() + CHANNELS.len();
        let looks = AtomicUsize::new(0);
        until("everybody to hear of all channels", async || {
            if looks.fetch_add(1, Ordering::Relaxed) % 50 == 49 {
                self.others.iter().for_each(RawNode::retell);
            }
            let heard = self.others.iter().all(|raw| raw.known_directions() == 2 * channels);
            (heard && self.payer.knows(channels).await).then_some(())
        })
        .await;
        self.quiet().await;
    }

    async fn quiet(&self) {
        until("no HTLC to be left", async || {
            let theirs: usize = self.others.iter().map(RawNode::htlcs).sum();
            (theirs + self.payer.htlcs().await == 0).then_some(())
        })
        .await;
    }

    async fn run(&self, Told { payments, tries }: Told) -> Figures {
        let (mut random, mut figures) = (SplitMix(SEED), Figures::default());
        for number in 0..payments {
            let to = &self.others[(random.next() % 6) as usize];
            let amount =
                Msat::new((1_000.0 * LARGEST_SAT.powf(random.fraction())) as u64).expect("in supply");
            let failing = number % 4 == 0;
            self.others[FAILING].choose(if failing { Forwards::FailForNow } else { Forwards::Pass });
            let paid = self.payer.pay(to.id(), amount, tries).await;
            self.others[FAILING].choose(Forwards::Pass);
            self.quiet().await;
            match &paid {
                Ok(fee) => figures.fees.push(*fee),
                Err(why) => *figures.failed.entry(why.clone()).or_default() += 1,
            }
            if paid.is_ok() && to.pay(keysend(self.payer.id(), amount, 10)).await.is_err() {
                figures.kept += 1;
            }
            self.quiet().await;
        }
        figures
    }
}

#[derive(Default)]
struct Figures {
    fees: Vec<Msat>,
    /// How many, by why.
    failed: BTreeMap<String, usize>,
    /// Not paid back.
    kept: u32,
}

impl Figures {
    fn row(mut self, name: &str) -> String {
        self.fees.sort();
        let (settled, all) = (self.fees.len(), self.fees.len() + self.failed.values().sum::<usize>());
        let percent = 100.0 * settled as f64 / all as f64;
        let median = self.fees.get(settled / 2).map_or(0, |fee| fee.to_msat());
        let sum: u64 = self.fees.iter().map(|fee| fee.to_msat()).sum();
        let mean = sum / settled.max(1) as u64;
        let why: Vec<String> = self.failed.iter().map(|(why, count)| format!("{count} {why}")).collect();
        let (why, kept) = (why.join(", "), self.kept);
        format!("| {name} | {settled} of {all} | {percent:.1}% | {median} | {mean} | {why} | {kept} |")
    }
}

/// Steele, Lea and Flood's generator: a few lines, the same everywhere.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse().ok());
    let (payments, tries) = (numbers.next().unwrap_or(1_000), numbers.next().unwrap_or(10));
    let told = Told { payments, tries };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("threads");
    println!(
        "| {tries} tries | settled | of all | median fee, msat | mean fee, msat | why not | not paid back |"
    );
    println!("|---|---|---|---|---|---|---|");
    runtime.block_on(async {
        tokio::join!(
            async { println!("{}", ldk(told).await.row("LDK's `send_spontaneous_payment`")) },
            async { println!("{}", ours(Some(Kind::Keysend), told).await.row("ours, keysend")) },
            async { println!("{}", ours(None, told).await.row("ours, kind unset")) },
        )
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
}

async fn ldk(told: Told) -> Figures {
    Seven::start(async |net| Payer::Ldk(RawNode::start(net, "payer").await)).await.run(told).await
}

async fn ours(kind: Option<Kind>, told: Told) -> Figures {
    Seven::start(async |net| Payer::Ours(Box::new(net.node("payer").await), kind)).await.run(told).await
}
