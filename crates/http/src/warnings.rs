//! What the owner of a node should know, judged from the node as it stands.

use sponte_api::Warning;
use sponte_engine::backend::NodeInfo;
use sponte_proto::{Msat, Sat};

/// A tip so old is rare on any public chain: blocks come every ten minutes on average.
const STALE_TIP_SECONDS: u64 = 2 * 3600;

/// Shorter silences are those between two questions.
const SILENT_SECONDS: u64 = 10;

/// What the owner should know, the most pressing first.
pub(crate) fn of(info: &NodeInfo) -> Vec<Warning> {
    [stale_chain(info), anchor_reserve(info), no_inbound_liquidity(info)].into_iter().flatten().collect()
}

fn warning(code: &str, message: String) -> Option<Warning> {
    Some(Warning { code: code.into(), message })
}

/// A node that does not see blocks does not see a peer that closes with an old state.
fn stale_chain(info: &NodeInfo) -> Option<Warning> {
    if info.chain_silent_seconds.is_some() || info.chain_error.is_some() {
        return warning("stale_chain", no_news(info));
    }
    // On regtest blocks come when somebody wants one.
    if info.network != "regtest" && info.tip_age_seconds > STALE_TIP_SECONDS {
        let hours = info.tip_age_seconds / 3600;
        return warning(
            "stale_chain",
            format!("the last block is {hours} h old: check that bitcoind is in sync and has peers"),
        );
    }
    None
}

/// What is wrong says what to do: a bitcoind that refuses the login need not be started.
fn no_news(info: &NodeInfo) -> String {
    let why = info.chain_error.as_deref().unwrap_or("it does not answer: check that it runs");
    match info.chain_silent_seconds {
        // One that answers, but not with blocks, is never silent for long.
        None | Some(..SILENT_SECONDS) => {
            format!("no news from bitcoind: {why}; then the node goes on by itself")
        }
        Some(seconds) => {
            format!("no news from bitcoind for {seconds} s: {why}; then the node goes on by itself")
        }
    }
}

/// Without coins a forced close can be stuck at a fee that no miner takes. Coins that wait for a
/// block count: most are the change of an opening, and nobody can do more about it.
fn anchor_reserve(info: &NodeInfo) -> Option<Warning> {
    let balance = &info.balance;
    let have = balance.confirmed.to_sat() + balance.unconfirmed.to_sat();
    let missing = balance.reserve.to_sat().checked_sub(have).filter(|missing| *missing > 0)?;
    let missing = Sat::new(missing)?;
    let channels = match info.channels {
        1 => "its channel".to_owned(),
        channels => format!("its {channels} channels"),
    };
    warning(
        "anchor_reserve",
        format!(
            "the wallet is {missing} short of what closing {channels} may cost: \
             send coins to an address of `sponte wallet address`"
        ),
    )
}

fn no_inbound_liquidity(info: &NodeInfo) -> Option<Warning> {
    if info.receivable > Msat::ZERO {
        return None;
    }
    let next = match (info.channels, info.channels_usable) {
        (0, _) => "open a channel and pay with it, or ask somebody to open one to this node",
        (_, 0) => "wait until a channel is usable; `sponte channel list` says what is missing",
        _ => "pay somebody, or ask for a channel to this node",
    };
    warning("no_inbound_liquidity", format!("nobody can pay this node now: {next}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sponte_engine::backend::WalletBalance;
    use sponte_proto::{BlockHeight, NodeId};

    /// A node with nothing to warn of.
    fn well() -> NodeInfo {
        let sat = |sat| Sat::new(sat).expect("in supply");
        NodeInfo {
            id: NodeId::from_bytes([2; 33]).expect("starts with 02"),
            alias: String::new(),
            network: "signet".into(),
            height: BlockHeight::new(1),
            block_hash: String::new(),
            chain_silent_seconds: None,
            chain_error: None,
            tip_age_seconds: 600,
            listening: None,
            peers: 1,
            graph_nodes: 0,
            graph_channels: 0,
            balance: WalletBalance {
                confirmed: sat(25_000),
                reserve: sat(25_000),
                ..WalletBalance::default()
            },
            channels_usable: 1,
            channels: 1,
            sendable: Msat::ZERO,
            sendable_in_one_part: Msat::ZERO,
            receivable: Msat::new(1).expect("small"),
        }
    }

    fn codes(change: impl FnOnce(&mut NodeInfo)) -> Vec<String> {
        let mut info = well();
        change(&mut info);
        of(&info).into_iter().map(|warning| warning.code).collect()
    }

    #[test]
    fn nothing_to_say_of_a_node_that_is_well() {
        assert!(codes(|_| ()).is_empty());
    }

    #[test]
    fn a_chain_that_stands_still() {
        assert_eq!(codes(|info| info.chain_silent_seconds = Some(1)), ["stale_chain"]);
        assert_eq!(codes(|info| info.tip_age_seconds = 8_000), ["stale_chain"]);
        let regtest = |info: &mut NodeInfo| {
            info.network = "regtest".into();
            info.tip_age_seconds = 1_000_000;
        };
        assert!(codes(regtest).is_empty());
        let mut info = well();
        info.chain_error = Some("bitcoind refused the RPC login: check the password".into());
        for silent in [None, Some(0)] {
            info.chain_silent_seconds = silent;
            let message = &of(&info)[0].message;
            assert!(
                message.starts_with("no news from bitcoind: bitcoind refused the RPC login"),
                "{message}"
            );
            assert!(!message.contains("runs"), "{message}");
        }
        info.chain_silent_seconds = Some(70);
        assert!(of(&info)[0].message.contains("for 70 s: bitcoind refused"));
        info.chain_error = None;
        assert!(of(&info)[0].message.contains("for 70 s: it does not answer: check that it runs"));
    }

    #[test]
    fn a_reserve_that_is_missing() {
        let poor = |info: &mut NodeInfo| info.balance.confirmed = Sat::new(24_999).expect("in supply");
        assert_eq!(codes(poor), ["anchor_reserve"]);
        let mut info = well();
        poor(&mut info);
        assert!(of(&info)[0].message.contains("closing its channel may"));
        info.channels = 2;
        assert!(of(&info)[0].message.contains("closing its 2 channels may"));
        let change_of_an_opening = |info: &mut NodeInfo| {
            poor(info);
            info.balance.unconfirmed = Sat::new(1).expect("in supply");
        };
        assert!(codes(change_of_an_opening).is_empty());
    }

    #[test]
    fn no_way_in() {
        let dry = |channels, usable| {
            let mut info = well();
            (info.receivable, info.channels, info.channels_usable) = (Msat::ZERO, channels, usable);
            of(&info).remove(0)
        };
        assert_eq!(dry(0, 0).code, "no_inbound_liquidity");
        assert!(dry(0, 0).message.contains("open a channel"));
        assert!(dry(1, 0).message.contains("usable"));
        assert!(dry(1, 1).message.contains("pay somebody"));
    }
}
