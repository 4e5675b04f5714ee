//! How a payment could be made, as a tree of lines.

use crate::show;
use crate::tree::Tree;
use sponte_api::{Quote, QuotedHop, QuotedRoute};

/// Kind, cost, and the way of each part.
pub fn tree(quote: &Quote) -> Tree {
    let mut tree = Tree::new(format!("would pay {} by {}", show::amount(quote.amount_msat), quote.kind));
    tree.push(format!("why {}: {}", quote.kind, quote.reason));
    let (fee, limit) = (show::amount(quote.fee_msat), show::amount(quote.max_fee_msat));
    tree.push(format!("fee {fee} of at most {limit}"));
    for (number, route) in quote.routes.iter().enumerate() {
        tree.push(part(number + 1, route));
    }
    tree
}

fn part(number: usize, route: &QuotedRoute) -> Tree {
    let mut tree = Tree::new(format!(
        "part {number}: {} by channel {}, fee {}",
        show::amount(route.amount_msat),
        show::short(&route.channel.to_string()),
        show::amount(route.fee_msat)
    ));
    let last = route.hops.len();

    for (number, hop) in route.hops.iter().enumerate() {
        tree.push(line(hop, number + 1 == last && !route.hidden));
    }
    if route.hidden {
        tree.push("on to the destination, where nobody sees it");
    }
    tree
}

fn line(hop: &QuotedHop, last: bool) -> String {
    let QuotedHop { node, short_channel_id, fee_msat, cltv_delta } = hop;
    match last {
        true => format!("{node} over {short_channel_id}, expires after {cltv_delta} blocks"),
        false => format!("{node} over {short_channel_id}, keeps {}", show::amount(*fee_msat)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sponte_api::Kind;
    use sponte_proto::{ChannelId, Msat, ShortChannelId};

    #[test]
    fn a_quote_reads_as_a_tree() {
        let msat = |msat| Msat::new(msat).expect("small");
        let hop = |byte: &str, fee| QuotedHop {
            node: format!("02{}", byte.repeat(32)).parse().expect("a node id"),
            short_channel_id: ShortChannelId::new(7),
            fee_msat: msat(fee),
            cltv_delta: 144,
        };
        let route = QuotedRoute {
            channel: ChannelId::from_bytes([3; 32]),
            amount_msat: msat(50_000),
            fee_msat: msat(1_500),
            hops: vec![hop("11", 1_500), hop("22", 0)],
            hidden: false,
        };
        let hidden = QuotedRoute { hops: vec![hop("11", 1_500)], hidden: true, ..route.clone() };
        let quote = Quote {
            kind: Kind::Keysend,
            reason: "asked for".into(),
            amount_msat: msat(50_000),
            fee_msat: msat(1_500),
            max_fee_msat: msat(5_500),
            routes: vec![route, hidden],
        };
        let expected = [
            "would pay 50 sat by keysend",
            "├─ why keysend: asked for",
            "├─ fee 1.5 sat of at most 5.5 sat",
            "├─ part 1: 50 sat by channel 03030303…0303, fee 1.5 sat",
            &format!("│  ├─ 02{} over 0x0x7, keeps 1.5 sat", "11".repeat(32)),
            &format!("│  └─ 02{} over 0x0x7, expires after 144 blocks", "22".repeat(32)),
            "└─ part 2: 50 sat by channel 03030303…0303, fee 1.5 sat",
            &format!("   ├─ 02{} over 0x0x7, keeps 1.5 sat", "11".repeat(32)),
            "   └─ on to the destination, where nobody sees it",
        ];
        assert_eq!(tree(&quote).render(), expected.join("\n"));
    }
}
