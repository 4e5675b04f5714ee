//! A payment as a tree of lines.

use crate::record_names;
use crate::show;
use crate::tree::Tree;
use sponte_api::{Attempt, Direction, Kind, Part, PartFailure, Payment, PaymentDetail, Record, State};
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
        outgoing(detail, &mut tree);
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
    detail.parts.iter().for_each(|part| tree.push(part_tree(part, false)));
    detail.attempts.iter().for_each(|attempt| tree.push(attempt_tree(attempt, payment)));
    tree
}

/// Why it is of its kind, how far it may go, and what is not decided yet.
fn outgoing(detail: &PaymentDetail, tree: &mut Tree) {
    let payment = &detail.payment;
    if let Some(reason) = &payment.reason {
        tree.push(format!("why {}: {reason}", payment.kind));
    }
    if let Some(asked) = payment.asked_kind.filter(|asked| *asked != payment.kind) {
        tree.push(format!("asked for {asked}"));
    }
    if let (Some(tries), Some(most), Some(parts)) = (payment.tries, payment.max_attempts, payment.max_parts) {
        tree.push(format!("tries {tries} of at most {most}, parts at most {parts} at once"));
    }
    if let Some(invoice) = &payment.invoice {
        let what = if payment.kind == Kind::Bolt12 { "offer" } else { "invoice" };
        tree.push(format!("{what} {invoice}"));
    }
    if let Some(quantity) = payment.quantity {
        tree.push(format!("quantity {quantity}"));
    }
    if let Some(note) = &payment.note {
        tree.push(format!("note to the issuer: {}", show::message(Some(note))));
    }
    if payment.state == State::Pending && payment.canceled == Some(true) {
        tree.push("canceled: no further attempt");
    }
    if detail.in_flight() {
        let amount = show::amount(detail.in_flight_msat());
        tree.push(format!("still in flight: {amount}, which may yet be paid"));
    }
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

/// What differs from the payment is said here.
fn attempt_tree(attempt: &Attempt, payment: &Payment) -> Tree {
    let mut line = format!("attempt {} {}", attempt.number + 1, attempt.state);
    if attempt.kind != payment.kind {
        line.push_str(&format!(" by {}", attempt.kind));
    }
    if let Some(failure) = &attempt.failure {
        line.push_str(&format!(" ({}): {}", failure.code, failure.message));
    }
    let mut tree = Tree::new(line);
    if let Some(set_id) = &attempt.set_id {
        tree.push(format!("set {set_id}"));
    }
    if let Some(hash) = attempt.hash.filter(|hash| payment.hash != Some(*hash)) {
        tree.push(format!("hash {hash}"));
    }
    attempt.parts.iter().for_each(|part| tree.push(part_tree(part, attempt.hash.is_some())));
    tree
}

/// A part that shares its hash with others needs not say it again.
fn part_tree(part: &Part, shared_hash: bool) -> Tree {
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
    if !part.route.is_empty() {
        line.push_str(&format!(", fee {}", show::amount(part.fee_msat)));
    }
    let mut tree = Tree::new(line);
    if let Some(hash) = part.hash.filter(|_| !shared_hash) {
        tree.push(format!("hash {hash}"));
    }
    if let Some(preimage) = part.preimage_hex.as_ref().filter(|_| !shared_hash) {
        tree.push(format!("preimage {preimage}"));
    }
    part.route.iter().for_each(|node| tree.push(node.to_string()));
    if let Some(failure) = &part.failure {
        tree.push(said(failure));
    }
    tree
}

/// Who failed a part, and what that means.
pub fn said(failure: &PartFailure) -> String {
    let PartFailure { hop, node, code, name, meaning, channel } = failure;
    let who = match (hop, node) {
        (Some(hop), Some(node)) => format!("{} at hop {hop}", show::short(&node.to_string())),
        (Some(hop), None) if *hop > 0 => format!("hop {hop}"),
        _ => return format!("failed: {meaning}"),
    };
    let said = match (name, code) {
        (Some(name), Some(code)) => format!("said {name} ({code:#06x})"),
        (None, Some(code)) => format!("said {code:#06x}"),
        (_, None) => "failed".into(),
    };
    let avoided = channel.map(|channel| format!("; {channel} is avoided")).unwrap_or_default();
    format!("{who} {said}: {meaning}{avoided}")
}

/// Payments to show in tests.
#[cfg(test)]
pub mod examples {
    use super::*;
    use sponte_api::Kind;
    use sponte_proto::failure::FailureCode;
    use sponte_proto::{ChannelId, Msat, NodeId, PaymentHash, PaymentId, Timestamp};

    fn msat(msat: u64) -> Msat {
        Msat::new(msat).expect("in supply")
    }

    fn node(byte: &str) -> NodeId {
        format!("02{}", byte.repeat(32)).parse().expect("a node id")
    }

    /// One attempt under way.
    pub fn outgoing() -> PaymentDetail {
        let hash = PaymentHash::from_bytes([2; 32]);
        let part = Part {
            number: 0,
            id: None,
            channel: ChannelId::from_bytes([3; 32]),
            amount_msat: msat(50_000),
            fee_msat: msat(1_500),
            state: State::Pending,
            route: vec![node("11")],
            hash: Some(hash),
            preimage_hex: None,
            failure: None,
            expiry: None,
        };
        let attempt = Attempt {
            number: 0,
            kind: Kind::Keysend,
            state: State::Pending,
            hash: Some(hash),
            set_id: None,
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
            hash: Some(hash),
            preimage_hex: None,
            records: vec![],
            failure: None,
            asked_kind: None,
            reason: Some("one path carries the amount".into()),
            invoice: None,
            quantity: None,
            note: None,
            attempt_count: 1,
            tries: Some(1),
            max_attempts: Some(30),
            max_parts: Some(16),
            canceled: Some(false),
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

    /// AMP: one part settled, one failed, and its share under way again.
    pub fn in_parts() -> PaymentDetail {
        let mut detail = outgoing();
        detail.payment.kind = Kind::Amp;
        detail.payment.hash = None;
        let attempt = &mut detail.attempts[0];
        (attempt.kind, attempt.hash, attempt.set_id) = (Kind::Amp, None, Some("05".repeat(32)));
        let part = |number, state, sat, via: &str, fee, failure| Part {
            number,
            amount_msat: Msat::from_sat(sat).expect("small"),
            fee_msat: Msat::from_sat(fee).expect("small"),
            state,
            route: vec![node(via), node("22")],
            hash: Some(PaymentHash::from_bytes([0x60 + number as u8; 32])),
            preimage_hex: (state == State::Settled).then(|| "07".repeat(32)),
            failure,
            ..attempt.parts[0].clone()
        };
        let why = PartFailure::new(
            Some(1),
            Some(FailureCode::TEMPORARY_CHANNEL_FAILURE),
            None,
            &[node("33"), node("22")],
        );
        let parts = vec![
            part(0, State::Settled, 30, "11", 1, None),
            part(1, State::Failed, 20, "33", 2, Some(why)),
            part(2, State::Pending, 20, "11", 1, None),
        ];
        attempt.parts = parts;
        detail
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sponte_api::{Failure, Kind};
    use sponte_proto::failure::FailureCode;
    use sponte_proto::{PaymentHash, ShortChannelId};

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

    #[track_caller]
    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|have| have == line), "no `{line}` in\n{text}");
    }

    #[test]
    fn a_set_shows_each_part_its_failure_and_what_is_in_flight() {
        let text = tree(&examples::in_parts()).render();
        let node = |byte: &str| format!("02{}", byte.repeat(32));
        for line in [
            "paying 50 sat by amp",
            "├─ why amp: one path carries the amount",
            "├─ tries 1 of at most 30, parts at most 16 at once",
            "├─ still in flight: 20 sat, which may yet be paid",
            "└─ attempt 1 pending",
            &format!("   ├─ set {}", "05".repeat(32)),
            "   ├─ part 1 settled: 30 sat by channel 03030303…0303, fee 1 sat",
            &format!("   │  ├─ hash {}", "60".repeat(32)),
            &format!("   │  ├─ preimage {}", "07".repeat(32)),
            "   ├─ part 2 failed: 20 sat by channel 03030303…0303, fee 2 sat",
            &format!("   │  ├─ {}", node("33")),
            "   │  └─ 02333333…3333 at hop 1 said temporary_channel_failure (0x1007): the next channel \
             lacks the balance, or is otherwise busy, for now",
            "   └─ part 3 pending: 20 sat by channel 03030303…0303, fee 1 sat",
        ] {
            has(&text, line);
        }
    }

    #[test]
    fn what_an_attempt_did_otherwise_is_said() {
        let mut detail = examples::outgoing();
        let mut second = detail.attempts[0].clone();
        second.number = 1;
        detail.attempts[0].kind = Kind::MppKeysend;
        detail.attempts[0].state = State::Failed;
        detail.attempts[0].hash = Some(PaymentHash::from_bytes([9; 32]));
        detail.attempts[0].failure = Some(Failure { code: "recipient_refused".into(), message: "no".into() });
        detail.attempts.push(second);
        detail.payment.asked_kind = Some(Kind::MppKeysend);
        detail.payment.canceled = Some(true);
        detail.payment.invoice = Some("lnbc1".into());
        let text = tree(&detail).render();
        for line in [
            "├─ asked for mpp-keysend",
            "├─ canceled: no further attempt",
            "├─ invoice lnbc1",
            "├─ attempt 1 failed by mpp-keysend (recipient_refused): no",
            &format!("│  ├─ hash {}", "09".repeat(32)),
            "└─ attempt 2 pending",
        ] {
            has(&text, line);
        }
    }

    #[test]
    fn whoever_failed_a_part_is_named_as_far_as_it_is_known() {
        let route = [format!("02{}", "11".repeat(32)).parse().expect("a node id")];
        let told = |hop, code| said(&PartFailure::new(hop, code, Some(ShortChannelId::new(7)), &route));
        let unknown = Some(FailureCode::new(0x0fff));
        assert_eq!(told(Some(0), None), "failed: it never left this node");
        assert!(told(None, None).starts_with("failed: nobody can tell"));
        assert!(told(Some(1), unknown).starts_with("02111111…1111 at hop 1 said 0x0fff: a code that"));
        assert!(told(Some(1), unknown).ends_with("; 0x0x7 is avoided"));
        assert!(told(Some(2), None).starts_with("hop 2 failed: what"));
    }
}
