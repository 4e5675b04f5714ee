//! Asking the node to pay, watching it, and telling how it ends.

use crate::context::{Context, Node};
use crate::failure::{CommandResult, Done, Failure};
use crate::interrupt::Interrupt;
use crate::output::pairs;
use crate::pay_progress::Progress;
use crate::{quote_view, show};
use serde::Serialize;
use sponte_api::{Client, ClientError, Code, PayInvoiceRequest, PayRequest, PaymentDetail, Quote, State};
use std::time::{Duration, Instant};

/// How often the ledger is read while people watch.
const GLANCE: Duration = Duration::from_millis(250);
/// How long the node may take to end a payment whose time is over.
const GRACE: Duration = Duration::from_secs(2);

/// What is to be paid.
#[derive(Clone, Debug)]
pub enum Order {
    /// A node that sent no invoice.
    Node(PayRequest),
    /// An invoice.
    Invoice(PayInvoiceRequest),
}

impl Order {
    /// Its idempotency key.
    pub fn key(&self) -> Option<&str> {
        match self {
            Order::Node(request) => request.key.as_deref(),
            Order::Invoice(request) => request.key.as_deref(),
        }
    }

    fn set_key(&mut self, key: String) {
        match self {
            Order::Node(request) => request.key = Some(key),
            Order::Invoice(request) => request.key = Some(key),
        }
    }

    /// How long attempts may start.
    fn timeout(&self) -> Duration {
        let limits = match self {
            Order::Node(request) => &request.limits,
            Order::Invoice(request) => &request.limits,
        };
        Duration::from_millis(limits.timeout_ms.expect("the command line has a default"))
    }

    async fn begin(&self, client: &Client) -> Result<PaymentDetail, ClientError> {
        match self {
            Order::Node(request) => client.pay(request, Duration::ZERO).await,
            Order::Invoice(request) => client.pay_invoice(request, Duration::ZERO).await,
        }
    }

    async fn quote(&self, client: &Client) -> Result<Quote, ClientError> {
        match self {
            Order::Node(request) => client.quote(request).await,
            Order::Invoice(request) => client.quote_invoice(request).await,
        }
    }
}

/// The answer: the payment, and how it ended in one word.
#[derive(Serialize)]
struct Answer {
    /// `settled`, `failed`, `still_in_flight`, or with `--no-wait` `pending`.
    outcome: &'static str,
    #[serde(flatten)]
    detail: PaymentDetail,
}

/// Draws a key, and shows it before anything is asked.
fn with_fresh_key(context: &Context, mut order: Order) -> Result<Order, Failure> {
    let mut key = [0; 16];
    getrandom::fill(&mut key)
        .map_err(|why| Failure::new(Code::Internal, format!("the system gives no randomness: {why}")))?;
    let key = sponte_proto::hex(&key);
    context.output.progress(&format!("key {key}: with --id {key} this is paid at most once"));
    order.set_key(key);
    Ok(order)
}

/// Tells how it would be paid now, and what that would cost.
///
/// # Errors
/// Why it would not be paid.
pub async fn quote(context: &Context, node: &Node<'_>, order: &Order) -> CommandResult {
    let quote = order.quote(&node.client).await.map_err(|error| node.failure(error))?;
    context.output.answer(&quote, |quote| quote_view::tree(quote).render());
    Ok(Done::Well)
}

/// Pays, and waits for the end unless told not to. An order without a key gets a random one.
///
/// # Errors
/// The node refuses, or does not answer; the line names the key if the payment may exist.
pub async fn pay(context: &Context, node: &Node<'_>, order: Order, no_wait: bool) -> CommandResult {
    // Before the key is shown: whoever reads it may interrupt at once.
    let mut interrupt = Interrupt::listen()?;
    let order = match order.key() {
        Some(_) => order,
        None => with_fresh_key(context, order)?,
    };
    let begun = begin(node, &order, &mut interrupt).await?;
    let detail = match no_wait {
        true => begun,
        false => watch(context, node, &order, begun, &mut interrupt).await?,
    };
    Ok(tell(context, detail, no_wait))
}

/// From here on the payment may exist: whatever goes wrong, and whoever loses patience, its key is
/// told.
async fn begin(node: &Node<'_>, order: &Order, interrupt: &mut Interrupt) -> Result<PaymentDetail, Failure> {
    tokio::select! {
        // First, so that somebody listens before anything is sent.
        biased;
        () = interrupt.wait() => Err(with_key(interrupted(), order)),
        begun = order.begin(&node.client) => begun.map_err(|error| with_key(node.failure(error), order)),
    }
}

fn interrupted() -> Failure {
    Failure::new(Code::StillInFlight, "interrupted before the node answered: it may yet be paid")
}

fn with_key(failure: Failure, order: &Order) -> Failure {
    match (failure.code, order.key()) {
        (Code::NoNode | Code::Busy | Code::Unanswered | Code::StillInFlight, Some(key)) => Failure::new(
            failure.code,
            format!("{}; repeat the command with --id {key}, which is paid at most once", failure.message),
        ),
        _ => failure,
    }
}

async fn watch(
    context: &Context,
    node: &Node<'_>,
    order: &Order,
    mut detail: PaymentDetail,
    interrupt: &mut Interrupt,
) -> Result<PaymentDetail, Failure> {
    let patience = order.timeout() + GRACE;
    let end = Instant::now() + patience;
    let glance = if context.output.is_json() { patience } else { GLANCE };
    let mut progress = Progress::default();
    loop {
        if !context.output.is_json() {
            progress.lines(&detail).iter().for_each(|line| context.output.progress(line));
        }
        let left = end.saturating_duration_since(Instant::now());
        if detail.payment.state != State::Pending || left.is_zero() {
            return Ok(detail);
        }
        detail = tokio::select! {
            next = node.client.payment(detail.payment.id, glance.min(left)) => {
                next.map_err(|error| with_key(node.failure(error), order))?
            }
            () = interrupt.wait() => return Ok(detail),
        };
    }
}

fn tell(context: &Context, detail: PaymentDetail, no_wait: bool) -> Done {
    let (outcome, done) = match detail.payment.state {
        State::Settled => ("settled", Done::Well),
        State::Failed | State::Canceled => ("failed", Done::Told(why(&detail))),
        State::Pending | State::Held if no_wait => ("pending", Done::Well),
        State::Pending | State::Held => ("still_in_flight", Done::Told(Code::StillInFlight)),
    };
    let answer = Answer { outcome, detail };
    if context.output.is_json() || done == Done::Well {
        context.output.answer(&answer, |answer| words(&answer.detail));
    }
    if let Done::Told(_) = done {
        context.output.progress(&format!("error: {}", trouble(&answer.detail, &context.flags())));
    }
    done
}

/// The failure's word, if it is one of an end that this version knows.
fn why(detail: &PaymentDetail) -> Code {
    let word = detail.payment.failure.as_ref().and_then(|failure| Code::from_word(&failure.code));
    word.filter(|code| code.exit_code() == Code::PaymentFailed.exit_code()).unwrap_or(Code::PaymentFailed)
}

fn words(detail: &PaymentDetail) -> String {
    let payment = &detail.payment;
    let mut rows = vec![match payment.state {
        State::Settled => ("paid", show::amount(payment.amount_msat)),
        _ => ("paying", show::amount(payment.amount_msat)),
    }];
    if payment.state == State::Settled {
        let took = payment.updated_at_ms.millis_since(payment.created_at_ms);
        rows.push(("fee", show::amount(payment.fee_msat)));
        rows.push(("took", show::duration(Duration::from_millis(took))));
    }
    if let Some(preimage) = &payment.preimage_hex {
        rows.push(("preimage", preimage.clone()));
    }
    rows.push(("payment", payment.id.to_string()));
    if let Some(key) = &payment.key {
        rows.push(("key", key.clone()));
    }
    pairs(rows)
}

fn trouble(detail: &PaymentDetail, flags: &str) -> String {
    let payment = &detail.payment;
    let show = format!("`sponte payments show {}{flags}`", payment.id);
    match (&payment.failure, payment.state) {
        (Some(failure), State::Failed | State::Canceled) => {
            let word = &failure.code;
            let again = if payment.invoice.is_some() { ", to try again: another --id" } else { "" };
            format!("not paid ({word}): {} [payment {}{again}]", failure.message, payment.id)
        }
        (None, State::Failed | State::Canceled) => format!("not paid; see {show}"),
        _ if detail.in_flight() => {
            let amount = show::amount(detail.in_flight_msat());
            format!("still in flight, {amount}: it may yet be paid; see {show} for the end")
        }
        _ => format!("not ended yet; see {show}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment_view::examples;
    use sponte_api::Failure as Reason;

    fn failed(word: &str) -> PaymentDetail {
        let mut detail = examples::outgoing();
        detail.payment.state = State::Failed;
        detail.payment.failure = Some(Reason { code: word.into(), message: "why: what to do".into() });
        detail
    }

    #[test]
    fn a_failure_is_told_with_its_word() {
        let line = trouble(&failed("no_route"), "");
        assert_eq!(line, format!("not paid (no_route): why: what to do [payment {}]", "01".repeat(32)));
        assert_eq!(why(&failed("no_route")), Code::NoRoute);
        assert_eq!(why(&failed("something_new")), Code::PaymentFailed);
        assert_eq!(why(&failed("busy")), Code::PaymentFailed, "its exit code says another thing");
        let mut invoice = failed("no_route");
        invoice.payment.invoice = Some("lnbc1".into());
        assert!(trouble(&invoice, "").ends_with("to try again: another --id]"));
    }

    #[test]
    fn what_is_in_flight_is_told_to_the_msat() {
        let line = trouble(&examples::outgoing(), " --dir x");
        assert!(
            line.starts_with("still in flight, 50 sat: it may yet be paid; see `sponte payments show"),
            "{line}"
        );
        assert!(line.contains("--dir x`"), "{line}");
        let mut waiting = examples::outgoing();
        waiting.attempts.clear();
        assert!(trouble(&waiting, "").starts_with("not ended yet"));
    }

    #[test]
    fn a_paid_set_has_a_fee_and_no_proof_of_its_own() {
        let mut detail = examples::in_parts();
        detail.payment.state = State::Settled;
        let text = words(&detail);
        assert!(text.contains("\nfee ") && text.contains("\ntook ") && !text.contains("preimage"), "{text}");
    }
}
