//! The life of a channel's money, over restarts and repeats.

use crate::rig::{Rig, channel, msat, node};
use sponte_engine::backend::{BackendEvent, ChannelPending, Forward, WalletTx, WalletTxKind, WalletTxState};
use sponte_engine::commit::Account;
use sponte_proto::{Sat, Txid};

fn sat(sat: u64) -> Sat {
    Sat::new(sat).expect("below the supply")
}

fn wallet(byte: u8, state: WalletTxState, kind: WalletTxKind) -> BackendEvent {
    BackendEvent::WalletTx(WalletTx { txid: Txid::from_bytes([byte; 32]), state, kind })
}

fn life() -> Vec<BackendEvent> {
    use WalletTxState::{Confirmed, Seen};
    let funding = WalletTxKind::Funding { value: sat(1_000), fee: sat(5) };
    let sweep = WalletTxKind::Sweep { inputs: vec![(channel(1), sat(600))], fee: sat(2) };
    let pending = ChannelPending {
        channel: channel(1),
        peer: node(5),
        value: sat(1_000),
        ours: msat(900_000),
        funded_by_us: true,
    };
    let forward = Forward {
        key: "f".into(),
        incoming: vec![(channel(2), msat(300_300))],
        outgoing: vec![(channel(1), msat(299_700))],
    };
    vec![
        wallet(1, Seen, WalletTxKind::Deposit(sat(2_000))),
        wallet(1, Confirmed, WalletTxKind::Deposit(sat(2_000))),
        wallet(2, Seen, funding.clone()),
        BackendEvent::ChannelPending(pending),
        wallet(2, Confirmed, funding),
        BackendEvent::ChannelReady { channel: channel(1), peer: node(5) },
        BackendEvent::Forwarded(forward),
        BackendEvent::ChannelClosed { channel: channel(1), peer: Some(node(5)), reason: "asked for".into() },
        wallet(3, Seen, sweep.clone()),
        wallet(3, Confirmed, sweep),
        BackendEvent::ChannelResolved(channel(1)),
    ]
}

fn check_end(rig: &Rig) {
    assert_eq!(rig.ledger.posted(Account::OnChain), (2_000 - 1_005 + 598) * 1_000);
    assert_eq!(rig.ledger.pending(Account::OnChain), 0);
    assert_eq!(rig.ledger.posted(Account::Opening), 0);
    assert_eq!(rig.ledger.posted(Account::Channel(channel(1))), 0);
    assert_eq!(rig.ledger.posted(Account::Channel(channel(2))), 300_300);
    assert_eq!(rig.ledger.posted(Account::CloseRounding), 900_000 - 299_700 - 600_000);
    assert_eq!(rig.ledger.posted(Account::FeesEarned), -600);
    assert_eq!(rig.ledger.posted(Account::OnChainFees), 7_000);
}

#[test]
fn a_channel_from_its_funding_to_its_end() {
    let mut rig = Rig::new();
    for event in life() {
        rig.event(event);
    }
    check_end(&rig);
    let told = rig.ledger.events.len();
    assert_eq!(told, life().len());
}

#[test]
fn repeats_and_a_restart_after_any_event_change_nothing() {
    for stop in 0..=life().len() {
        let mut rig = Rig::new();
        for (number, event) in life().into_iter().enumerate() {
            if number == stop {
                rig = rig.restart();
                for repeated in life().into_iter().take(number) {
                    rig.event(repeated);
                }
            }
            rig.event(event.clone());
            rig.event(event);
        }
        check_end(&rig);
    }
}

#[test]
fn a_funding_that_never_was_leaves_nothing() {
    let mut rig = Rig::new();
    let mut events = life();
    for event in events.drain(2..4) {
        rig.event(event);
    }
    assert_eq!(rig.ledger.posted(Account::Opening) + rig.ledger.pending(Account::Opening), 0);
    rig.event(BackendEvent::ChannelDiscarded(channel(1)));
    let funding = WalletTxKind::Funding { value: sat(1_000), fee: sat(5) };
    rig.event(wallet(2, WalletTxState::Gone, funding));
    for account in [Account::Opening, Account::OnChain, Account::World, Account::Channel(channel(1))] {
        assert_eq!((rig.ledger.posted(account), rig.ledger.pending(account)), (0, 0));
    }
}
