//! A payment as a tree of lines.

use crate::record_names;
use crate::show;
use crate::tree::Tree;
use sponte_api::{Attempt, Direction, Part, Payment, PaymentDetail, Record, State};
use std::time::Duration;

/// The payment, its records, its attempts and their parts.
pub fn tree(detail: &PaymentDetail) -> Tree {
    let payment = &detail.payment;
    let mut tree = Tree::new(headline(payment));
    tree.push(format!("payment {}", payment.id));
    if let Some(key) = &payment.key {
        tree.push(format!("key {key}"));
    }
    if let Some(destination) = payment.destination {
        tree.push(format!("to {destination}"));
    }
    tree.push(times(payment));
    if payment.direction == Direction::Out {
        let limit = payment.max_fee_msat.map(|limit| format!(" of at most {}", show::amount(limit)));
        tree.push(format!("fee {}{}", show::amount(payment.fee_msat), limit.unwrap_or_default()));
    }
    if let Some(sender) = payment.sender {
        tree.push(format!("signed by {sender}"));
    }
    if payment.state == State::Held {
        tree.push(held_until(payment));
    }
    if let Some(addr) = &payment.payment_addr {
        tree.push(format!("payment address {addr}"));
    }
    if let Some(set_id) = &payment.set_id {
        tree.push(format!("set {set_id}"));
    }
    if let Some(hash) = payment.hash {
        tree.push(format!("hash {hash}"));
    }
    if let Some(preimage) = &payment.preimage_hex {
        tree.push(format!("preimage {preimage}"));
    }
    if let Some(failure) = &payment.failure {
        let word = if payment.state == State::Canceled { "canceled" } else { "failed" };
        tree.push(format!("{word} ({}): {}", failure.code, failure.message));
    }
    payment.records.iter().for_each(|record| tree.push(record_tree(record)));
    detail.parts.iter().for_each(|part| tree.push(part_line(part)));
    detail.attempts.iter().for_each(|attempt| tree.push(attempt_tree(attempt)));
    tree
}

fn headline(payment: &Payment) -> String {
    let amount = show::amount(payment.amount_msat);
    let verb = match (payment.direction, payment.state) {
        (Direction::Out, State::Settled) => "paid",
        (Direction::Out, State::Pending) => "paying",
        (Direction::Out, State::Held) => "holding",
        (Direction::Out, State::Failed | State::Canceled) => "not paid:",
        (Direction::In, State::Settled) => "received",
        (Direction::In, State::Pending) => "receiving",
        (Direction::In, State::Held) => "holding",
        (Direction::In, State::Failed) => "not received:",
        (Direction::In, State::Canceled) => "canceled",
    };
    format!("{verb} {amount} by {}", payment.kind)
}

fn times(payment: &Payment) -> String {
    let begun = format!("begun {} UTC", show::time(payment.created_at_ms));
    if matches!(payment.state, State::Pending | State::Held) {
        return begun;
    }
    let took = Duration::from_millis(payment.updated_at_ms.millis_since(payment.created_at_ms));
    format!("{begun}, ended after {}", show::duration(took))
}

fn held_until(payment: &Payment) -> String {
    let time = payment.deadline_ms.map(|at| format!(" until {} UTC", show::time(at)));
    let height = payment.deadline_height.map(|height| format!(", and before block {height}"));
    format!("held{}{}", time.unwrap_or_default(), height.unwrap_or_default())
}

/// Text as text, and more than one line of it or bytes as a line below.
fn record_tree(record: &Record) -> Tree {
    let name = record_names::of(record.kind).map(|name| format!(" ({name})")).unwrap_or_default();
    let head = format!("record {}{name}", record.kind);
    let Some(text) = &record.text else {
        let bytes = record.value_hex.len() / 2;
        return match bytes {
            0 => Tree::new(format!("{head}: empty")),
            _ => Tree::new(format!("{head}: {bytes} bytes {}", record.value_hex)),
        };
    };
    if !text.contains(['\n', '\t']) {
        return Tree::new(format!("{head}: {text}"));
    }
    let mut tree = Tree::new(format!("{head}:"));
    text.lines().for_each(|line| tree.push(line.replace('\t', "    ")));
    tree
}

fn attempt_tree(attempt: &Attempt) -> Tree {
    let mut line = format!("attempt {} {}", attempt.number + 1, attempt.state);
    if let Some(failure) = &attempt.failure {
        line.push_str(&format!(" ({}): {}", failure.code, failure.message));
    }
    let mut tree = Tree::new(line);
    attempt.parts.iter().for_each(|part| tree.push(part_line(part)));
    tree
}

fn part_line(part: &Part) -> Tree {
    let mut line = format!(
        "part {} {}: {} by channel {}",
        part.number + 1,
        part.state,
        show::amount(part.amount_msat),
        show::short(&part.channel.to_string())
    );
    if let Some(expiry) = part.expiry {
        line.push_str(&format!(", expires at block {expiry}"));
    }
    if part.route.is_empty() {
        let mut tree = Tree::new(line);
        part.hash.iter().for_each(|hash| tree.push(format!("hash {hash}")));
        return tree;
    }
    line.push_str(&format!(", fee {}", show::amount(part.fee_msat)));
    let mut tree = Tree::new(line);
    part.route.iter().for_each(|node| tree.push(node.to_string()));
    tree
}

/// Payments to show in tests.
#[cfg(test)]
pub mod examples {
    use super::*;
    use sponte_api::Kind;
    use sponte_proto::{ChannelId, Msat, PaymentHash, PaymentId, Timestamp};

    fn msat(msat: u64) -> Msat {
        Msat::new(msat).expect("in supply")
    }

    /// One attempt under way.
    pub fn outgoing() -> PaymentDetail {
        let part = Part {
            number: 0,
            channel: ChannelId::from_bytes([3; 32]),
            amount_msat: msat(50_000),
            fee_msat: msat(1_500),
            state: State::Pending,
            route: vec![format!("02{}", "11".repeat(32)).parse().expect("a node id")],
            hash: None,
            expiry: None,
        };
        let attempt = Attempt {
            number: 0,
            state: State::Pending,
            hash: PaymentHash::from_bytes([2; 32]),
            fee_msat: msat(1_500),
            failure: None,
            created_at_ms: Timestamp::from_millis(0),
            updated_at_ms: Timestamp::from_millis(0),
            parts: vec![part],
        };
        let payment = Payment {
            id: PaymentId::from_bytes([1; 32]),
            direction: Direction::Out,
            kind: Kind::Keysend,
            state: State::Pending,
            key: Some("coffee".into()),
            destination: None,
            amount_msat: msat(50_000),
            fee_msat: msat(0),
            max_fee_msat: Some(msat(5_000)),
            hash: Some(PaymentHash::from_bytes([2; 32])),
            preimage_hex: None,
            records: vec![],
            failure: None,
            attempt_count: 1,
            deadline_ms: None,
            deadline_height: None,
            sender: None,
            payment_addr: None,
            set_id: None,
            created_at_ms: Timestamp::from_millis(0),
            updated_at_ms: Timestamp::from_millis(132),
        };
        PaymentDetail { payment, attempts: vec![attempt], parts: vec![] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_reads_as_a_tree() {
        let mut detail = examples::outgoing();
        detail.payment.state = State::Settled;
        detail.payment.records = vec![
            Record::new(34_349_334, b"hi"),
            Record::new(70_001, b"two\nlines"),
            Record::new(70_003, &[0, 255]),
            Record::new(70_005, b""),
        ];
        let text = tree(&detail).render();
        let node = format!("02{}", "11".repeat(32));
        for line in [
            "paid 50 sat by keysend",
            "├─ key coffee",
            "├─ begun 1970-01-01 00:00:00 UTC, ended after 132 ms",
            "├─ fee 0 sat of at most 5 sat",
            "├─ record 34349334 (message): hi",
            "│  ├─ two",
            "├─ record 70003: 2 bytes 00ff",
            "├─ record 70005: empty",
            "└─ attempt 1 pending",
            "   └─ part 1 pending: 50 sat by channel 03030303…0303, fee 1.5 sat",
            &format!("      └─ {node}"),
        ] {
            assert!(text.lines().any(|have| have == line), "no `{line}` in\n{text}");
        }
    }
}
