//! What the demo says at its end.

use crate::output::table;
use crate::show;
use serde::Serialize;
use sponte_api::{Kind, State};
use sponte_proto::Msat;

/// `{"steps":[..],"ok":true}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In the order in which they were made.
    pub steps: Vec<Step>,
    /// Whether all steps were made, and every one of them went as it should.
    pub ok: bool,
}

/// One step. What programs need is in JSON, what people need in the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    pub name: &'static str,
    pub kind: Kind,
    pub from: &'static str,
    pub to: &'static str,
    pub amount_msat: u64,
    pub fee_msat: u64,
    /// Those of the last attempt that were paid, or all of them if none was.
    pub parts: u32,
    pub attempts: u32,
    pub outcome: Outcome,
    pub latency_ms: u64,
    /// The nodes that its parts passed, by name.
    #[serde(skip)]
    pub routes: Vec<Vec<&'static str>>,
    /// What the two ledgers say.
    #[serde(skip)]
    pub ledgers: Ledgers,
    /// What there is to say of it: why a payment failed that had to.
    #[serde(skip)]
    pub note: Option<String>,
    /// Why it is not as it should be.
    #[serde(skip)]
    pub wrong: Option<String>,
}

/// What both ledgers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Both say so.
    Settled,
    /// The sender says so, and the receiver knows of nothing or says so too.
    Failed,
    /// The receiver holds it, and it has not ended for the sender.
    Held,
    /// The sender says that it failed, and the receiver that she gave it back.
    Canceled,
    /// Not ended, or they contradict each other.
    Unclear,
}

/// What the two ledgers say of a payment; `None` if one knows of nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledgers {
    pub sender: Option<State>,
    pub receiver: Option<State>,
}

impl Ledgers {
    /// The two in one word.
    pub fn outcome(self) -> Outcome {
        match (self.sender, self.receiver) {
            (Some(State::Settled), Some(State::Settled)) => Outcome::Settled,
            (Some(State::Failed), None | Some(State::Failed)) => Outcome::Failed,
            (Some(State::Pending), Some(State::Held)) => Outcome::Held,
            (Some(State::Failed), Some(State::Canceled)) => Outcome::Canceled,
            _ => Outcome::Unclear,
        }
    }
}

/// The table, and below it what a line has no room for.
pub fn words(report: &Report) -> String {
    let header =
        ["step", "kind", "route", ">parts", ">attempts", "amount", "fee", "outcome at both ends", "ms"];
    let rows = report.steps.iter().map(|step| {
        vec![
            step.name.to_owned(),
            step.kind.to_string(),
            routes(step),
            step.parts.to_string(),
            step.attempts.to_string(),
            amount(step.amount_msat),
            amount(step.fee_msat),
            ends(step),
            step.latency_ms.to_string(),
        ]
    });
    let mut text = table(&header, rows);
    text.push('\n');
    for step in &report.steps {
        if let Some(note) = &step.note {
            text.push_str(&format!("\n{}: {note}", step.name));
        }
    }
    text.push_str(match report.ok {
        true => "\nEvery step went as it should, those that had to fail too.",
        false => "\nNot everything went as it should.",
    });
    text
}

fn amount(msat: u64) -> String {
    Msat::new(msat).map_or_else(|| format!("{msat} msat"), show::amount)
}

fn routes(step: &Step) -> String {
    let routes: Vec<_> = step.routes.iter().map(|route| route.join(" → ")).collect();
    routes.join("\n")
}

fn ends(step: &Step) -> String {
    let word = |state: Option<State>| state.map_or("nothing", State::as_str);
    format!("{} {}, {} {}", step.from, word(step.ledgers.sender), step.to, word(step.ledgers.receiver))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step() -> Step {
        Step {
            name: "one",
            kind: Kind::Keysend,
            from: "alice",
            to: "carol",
            amount_msat: 5_000_000,
            fee_msat: 1_500,
            parts: 1,
            attempts: 1,
            outcome: Outcome::Settled,
            latency_ms: 12,
            routes: vec![vec!["alice", "bob", "carol"]],
            ledgers: Ledgers { sender: Some(State::Settled), receiver: Some(State::Settled) },
            note: None,
            wrong: None,
        }
    }

    #[test]
    fn the_object_has_its_documented_shape() {
        let report = Report { steps: vec![step()], ok: true };
        assert_eq!(
            serde_json::to_string(&report).expect("plain data"),
            r#"{"steps":[{"name":"one","kind":"keysend","from":"alice","to":"carol","amount_msat":5000000,"fee_msat":1500,"parts":1,"attempts":1,"outcome":"settled","latency_ms":12}],"ok":true}"#
        );
    }

    #[test]
    fn the_table_says_what_both_ends_say() {
        let failed = Step {
            name: "two",
            outcome: Outcome::Failed,
            ledgers: Ledgers { sender: Some(State::Failed), receiver: None },
            note: Some("too much".into()),
            ..step()
        };
        let text = words(&Report { steps: vec![step(), failed], ok: true });
        for part in [
            "alice → bob → carol",
            "5,000 sat",
            "1.5 sat",
            "alice settled, carol settled",
            "alice failed, carol nothing",
            "two: too much",
            "Every step",
        ] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
    }

    #[test]
    fn one_end_alone_proves_nothing() {
        let of = |sender, receiver| Ledgers { sender, receiver }.outcome();
        let (settled, failed, pending) = (Some(State::Settled), Some(State::Failed), Some(State::Pending));
        assert_eq!(of(settled, settled), Outcome::Settled);
        assert_eq!(of(failed, None), Outcome::Failed);
        assert_eq!(of(failed, Some(State::Canceled)), Outcome::Canceled);
        assert_eq!(of(pending, Some(State::Held)), Outcome::Held);
        for (sender, receiver) in [
            (settled, None),
            (settled, pending),
            (failed, settled),
            (pending, settled),
            (None, None),
            (failed, pending),
        ] {
            assert_eq!(of(sender, receiver), Outcome::Unclear, "{sender:?} {receiver:?}");
        }
    }
}
