//! `sponte info`

use crate::context::Context;
use crate::failure::{CommandResult, Done};
use crate::output::pairs;
use crate::show;
use sponte_api::Info;
use std::time::Duration;

/// Shows the node as it stands.
pub async fn execute(context: &Context) -> CommandResult {
    let node = context.node()?;
    let info = node.client.info().await.map_err(|error| node.failure(error))?;
    context.output.answer(&info, words);
    Ok(Done::Well)
}

/// Several channels together send more than one part can.
fn sendable(info: &Info) -> String {
    let (all, once) = (info.sendable_msat, info.sendable_in_one_part_msat);
    match all == once {
        true => show::amount(all),
        false => format!("{}, at most {} in one part", show::amount(all), show::amount(once)),
    }
}

fn words(info: &Info) -> String {
    let seconds = |seconds| show::duration(Duration::from_secs(seconds));
    let mut rows = vec![
        ("node", info.id.to_string()),
        ("alias", if info.alias.is_empty() { "-".into() } else { info.alias.clone() }),
        ("version", info.version.clone()),
        ("network", info.network.clone()),
        (
            "tip",
            format!(
                "{} ({}), {} old",
                info.height,
                show::short(&info.block_hash),
                seconds(info.tip_age_seconds)
            ),
        ),
        ("listening", info.listening.clone().unwrap_or_else(|| "-".into())),
        ("peers", format!("{} connected", info.peers)),
        ("channels", format!("{} usable of {}", info.channels_usable, info.channels)),
        ("can send", sendable(info)),
        ("can receive", show::amount(info.receivable_msat)),
        (
            "wallet",
            format!(
                "{} spendable, {} reserved, {} unconfirmed",
                show::amount(info.wallet.spendable_sat.to_msat()),
                show::amount(info.wallet.reserve_sat.to_msat()),
                show::amount(info.wallet.unconfirmed_sat.to_msat()),
            ),
        ),
        ("graph", format!("{} nodes, {} channels", info.graph_nodes, info.graph_channels)),
    ];
    rows.extend(info.warnings.iter().map(|warning| ("warning", warning.message.clone())));
    pairs(rows)
}
