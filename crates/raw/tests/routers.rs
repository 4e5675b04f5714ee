//! A line of three raw nodes, the router in the middle good and bad.

use sponte_chain::{ChainHandle, ServerConfig};
use sponte_proto::Msat;
use sponte_raw::{Forwards, Keysend, Paid, RawConfig, RawNode, Receives};
use std::cell::Cell;
use std::time::{Duration, Instant};

const AMOUNT: u64 = 50_000;
/// Far more than anything takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

fn msat(msat: u64) -> Msat {
    Msat::new(msat).expect("in supply")
}

async fn until(what: &str, look: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !look() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

struct Line {
    payer: RawNode,
    router: RawNode,
    payee: RawNode,
}

impl Line {
    async fn new(config: RawConfig) -> Line {
        let ServerConfig { policy, premine_blocks, .. } = ServerConfig::default();
        let chain = ChainHandle::new(policy, premine_blocks).expect("a chain");
        let start = async |seed, config| {
            RawNode::start_with([seed; 32], chain.clone(), config).await.expect("loopback has a port")
        };
        let payer = start(1, RawConfig::default()).await;
        let (router, payee) = (start(2, config).await, start(3, RawConfig::default()).await);
        for (from, to) in [(&payer, &router), (&router, &payee)] {
            from.connect(to.id(), &to.address()).await.expect("loopback connects");
            until("a connection", || from.connected(&to.id())).await;
            let funded = from.funded();
            from.open_announced(&to.id(), 1_000_000, Msat::ZERO).expect("a connected peer");
            until("a funding", || from.funded() > funded).await;
        }
        chain.mine(6).expect("blocks");
        let looks = Cell::new(0);
        until("both channels", || {
            // Whoever had no peer yet that could hear of a channel says it once more.
            looks.set(looks.get() + 1);
            if looks.get() % 50 == 0 {
                [&router, &payee].iter().for_each(|node| node.retell());
            }
            payer.known_directions() == 4
        })
        .await;
        until("the second channel", || !router.usable(&payee.id()).is_empty()).await;
        Line { payer, router, payee }
    }

    async fn pay(&self, retries: u32) -> Paid {
        let (to, max_fee) = (self.payee.id(), msat(10_000));
        let keysend = Keysend { to, amount: msat(AMOUNT), max_fee, retries, final_cltv: 144 };
        tokio::time::timeout(DEADLINE, self.payer.pay(keysend)).await.expect("a payment ends")
    }
}

#[tokio::test]
async fn a_router_lets_through_fails_and_lets_through_again() {
    let line = Line::new(RawConfig::asking(msat(700))).await;
    assert_eq!(line.pay(0).await, Ok(msat(700)));
    for failing in [Forwards::FailForNow, Forwards::FailForGood] {
        line.router.choose(failing);
        assert!(line.pay(0).await.is_err(), "{failing:?}");
        line.router.choose(Forwards::Pass);
        let again = line.pay(0).await;
        match failing {
            // What LDK learned of the channel does not keep it from being tried...
            Forwards::FailForNow => assert_eq!(again, Ok(msat(700))),
            // ...but a peer that is unknown takes its channel out of the graph.
            _ => assert!(again.is_err(), "LDK knows no route any more"),
        }
    }
}

#[tokio::test]
async fn a_router_keeps_what_it_takes_until_it_is_told() {
    let line = Line::new(RawConfig::default()).await;
    for (then, paid) in [(Forwards::Pass, true), (Forwards::FailForNow, false)] {
        line.router.choose(Forwards::Stall);
        let paying = line.pay(0);
        tokio::pin!(paying);
        tokio::select! {
            end = &mut paying => panic!("it was not kept: {end:?}"),
            () = until("an HTLC to be kept", || line.router.kept() == 1) => line.router.choose(then),
        }
        let end = paying.await;
        assert_eq!((end.is_ok(), line.router.kept()), (paid, 0));
    }
}

#[tokio::test]
async fn a_router_that_lies_is_not_paid_what_it_announces() {
    let lying = RawConfig { announced_fee: msat(100), ..RawConfig::asking(msat(900)) };
    let line = Line::new(lying).await;
    assert!(line.pay(3).await.is_err(), "what it announces is not what it asks");
    let saying = RawConfig { announced_fee: msat(900), ..RawConfig::asking(msat(100)) };
    assert_eq!(Line::new(saying).await.pay(0).await, Ok(msat(900)), "its announcement is what is paid");
}

#[tokio::test]
async fn a_payee_takes_what_it_chooses() {
    let line = Line::new(RawConfig::default()).await;
    line.payee.receive(Receives::Nothing);
    assert!(line.pay(0).await.is_err());
    line.payee.receive(Receives::WithoutSecret);
    assert_eq!(line.pay(0).await, Ok(RawNode::FEE));
}
