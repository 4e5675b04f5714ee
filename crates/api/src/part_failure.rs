//! How an HTLC failed, decoded: who, with which code, and what that means.

use crate::json;
use serde::{Deserialize, Serialize};
use sponte_proto::failure::FailureCode;
use sponte_proto::{NodeId, ShortChannelId};

/// How an outgoing part failed, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFailure {
    /// Who failed it: 0 is this node, and it never left; 1 the first of the route, and so on.
    /// Absent if nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hop: Option<u32>,
    /// The node at that hop, if it is not this one.
    #[serde(default, with = "json::text_option", skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// What that node said (BOLT 4, "Failure Messages"): flags and number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// The BOLT's name of the code, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it means, in words.
    pub meaning: String,
    /// The channel that is kept out of the next routes, as `572330x7x1105`.
    #[serde(default, with = "json::text_option", skip_serializing_if = "Option::is_none")]
    pub channel: Option<ShortChannelId>,
}

impl PartFailure {
    /// Decodes it for the route that the part took, the destination last.
    pub fn new(
        hop: Option<u32>,
        code: Option<FailureCode>,
        channel: Option<ShortChannelId>,
        route: &[NodeId],
    ) -> PartFailure {
        let index = hop.and_then(|hop| usize::try_from(hop).ok()?.checked_sub(1));
        let meaning = match (index, code) {
            (None, _) if hop == Some(0) => "it never left this node",
            (None, _) => {
                "nobody can tell who failed it: its channel was closed, or what came back could not be read"
            }
            (Some(_), None) => "what this node said could not be read",
            (Some(index), Some(code)) if index + 1 == route.len() => of_destination(code),
            (Some(_), Some(code)) => on_the_way(code),
        };
        PartFailure {
            hop,
            node: index.and_then(|index| route.get(index).copied()),
            code: code.map(FailureCode::to_u16),
            name: code.and_then(FailureCode::name).map(ToOwned::to_owned),
            meaning: meaning.into(),
            channel,
        }
    }
}

/// What a code means that the destination itself sent.
fn of_destination(code: FailureCode) -> &'static str {
    match code {
        FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS => {
            "the destination does not know the payment, or refuses it"
        }
        FailureCode::FINAL_INCORRECT_CLTV_EXPIRY => "a node before it changed the expiry",
        FailureCode::FINAL_INCORRECT_HTLC_AMOUNT => "a node before it kept more than its fee",
        FailureCode::MPP_TIMEOUT => "not all parts of the payment reached it in time",
        FailureCode::INVALID_ONION_PAYLOAD => "it does not understand the payment: it may not take this kind",
        FailureCode::REQUIRED_NODE_FEATURE_MISSING => "it asks for something that this kind does not carry",
        FailureCode::TEMPORARY_CHANNEL_FAILURE | FailureCode::TEMPORARY_NODE_FAILURE => {
            "it has trouble, for now"
        }
        FailureCode::PERMANENT_NODE_FAILURE | FailureCode::PERMANENT_CHANNEL_FAILURE => {
            "it has trouble that lasts"
        }
        code => anywhere(code),
    }
}

/// What a code means that a node on the way sent.
fn on_the_way(code: FailureCode) -> &'static str {
    match code {
        FailureCode::TEMPORARY_NODE_FAILURE => "this node has trouble, for now",
        FailureCode::PERMANENT_NODE_FAILURE => "this node has trouble that lasts",
        FailureCode::REQUIRED_NODE_FEATURE_MISSING => "this node asks for something that the payment lacks",
        FailureCode::TEMPORARY_CHANNEL_FAILURE => {
            "the next channel lacks the balance, or is otherwise busy, for now"
        }
        FailureCode::PERMANENT_CHANNEL_FAILURE => "the next channel is closed, or takes nothing any more",
        FailureCode::REQUIRED_CHANNEL_FEATURE_MISSING => {
            "the next channel asks for something that the payment lacks"
        }
        FailureCode::UNKNOWN_NEXT_PEER => "the next node is not connected, or unknown",
        FailureCode::AMOUNT_BELOW_MINIMUM => "the amount is below what the next channel takes",
        FailureCode::FEE_INSUFFICIENT => "this node asks for a higher fee than it announced",
        FailureCode::INCORRECT_CLTV_EXPIRY => "this node asks for more blocks than it announced",
        FailureCode::EXPIRY_TOO_SOON => "the expiry is too near",
        FailureCode::EXPIRY_TOO_FAR => "the expiry is too far away",
        FailureCode::CHANNEL_DISABLED => "the next channel is disabled: its other end may be offline",
        FailureCode::INVALID_ONION_PAYLOAD => "this node does not understand what it was told",
        code => anywhere(code),
    }
}

fn anywhere(code: FailureCode) -> &'static str {
    match code {
        FailureCode::INVALID_ONION_BLINDING => "something failed within a blinded path",
        code if code.is_bad_onion() => "the onion could not be read: it was damaged on the way",
        code if code.name().is_some() => "a code that is not expected from this node",
        code if code.is_permanent() => "a code that BOLT 4 does not name: it fails for good",
        _ => "a code that BOLT 4 does not name",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route() -> Vec<NodeId> {
        let node = |byte: &str| format!("02{}", byte.repeat(32)).parse().expect("a node id");
        vec![node("11"), node("22"), node("33")]
    }

    fn decoded(hop: Option<u32>, code: Option<FailureCode>) -> PartFailure {
        PartFailure::new(hop, code, Some(ShortChannelId::new(7)), &route())
    }

    #[test]
    fn a_failure_names_its_node_and_says_what_it_means() {
        let failure = decoded(Some(2), Some(FailureCode::TEMPORARY_CHANNEL_FAILURE));
        let json = serde_json::to_value(&failure).expect("plain data");
        let expected = serde_json::json!({
            "hop": 2,
            "node": route()[1].to_string(),
            "code": 0x1007,
            "name": "temporary_channel_failure",
            "meaning": "the next channel lacks the balance, or is otherwise busy, for now",
            "channel": "0x0x7",
        });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<PartFailure>(json).expect("read back"), failure);
    }

    #[test]
    fn the_same_code_means_another_thing_at_the_end() {
        let code = Some(FailureCode::INVALID_ONION_PAYLOAD);
        assert!(decoded(Some(3), code).meaning.contains("kind"));
        assert!(!decoded(Some(2), code).meaning.contains("kind"));
    }

    #[test]
    fn what_nobody_knows_is_said_to_be_unknown() {
        let unread = decoded(None, None);
        assert_eq!((unread.node, unread.code, unread.name), (None, None, None));
        assert!(unread.meaning.starts_with("nobody can tell"));
        assert_eq!(decoded(Some(0), None).meaning, "it never left this node");
        assert_eq!(decoded(Some(0), None).node, None);
        assert!(decoded(Some(1), None).meaning.contains("could not be read"));
        // A hop that the route does not have.
        assert_eq!(decoded(Some(9), Some(FailureCode::new(0x7fff))).node, None);
    }

    #[test]
    fn every_code_means_something_short() {
        for number in 0..=u16::MAX {
            for hop in [1, 3] {
                let meaning = decoded(Some(hop), Some(FailureCode::new(number))).meaning;
                assert!((8..90).contains(&meaning.len()) && !meaning.ends_with('.'), "{meaning}");
            }
        }
    }
}
