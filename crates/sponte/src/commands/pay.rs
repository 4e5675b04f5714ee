//! `sponte pay`

use crate::context::{Context, Node};
use crate::failure::{CommandResult, Done, Failure};
use crate::interrupt::Interrupt;
use crate::output::pairs;
use crate::pay_progress::Progress;
use crate::show;
use crate::values::{self, NodeAddress};
use clap::Args;
use serde::Serialize;
use sponte_api::{Code, PayRequest, PaymentDetail, RecordInput, State};
use sponte_proto::Msat;
use std::time::{Duration, Instant};

/// How often the ledger is read while people watch.
const GLANCE: Duration = Duration::from_millis(250);
/// How long the node may take to end a payment whose time is over.
const GRACE: Duration = Duration::from_secs(2);

/// What an onion carries for all hops together (BOLT 4).
const ONION_BYTES: usize = 1300;

/// Pay a node that sent no invoice
///
/// Waits for the end and shows what happens. The timeout ends attempts, not the payment: while
/// an HTLC is pending nobody can say whether it will be paid, and the answer is still_in_flight
/// with exit code 21. Repeat the command with the same --id to learn the end: one key is paid at
/// most once.
#[derive(Args, Debug)]
pub struct PayArgs {
    /// Who is paid; with an address, the node connects to it first
    #[arg(value_name = "NODE ID[@HOST:PORT]")]
    to: NodeAddress,
    /// What it gets: 50sat, 50000msat or 0.5btc
    #[arg(value_name = "AMOUNT")]
    amount: Msat,
    /// A chat message (record 34349334)
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// A custom record: hex:.., text:.. or json:.. behind its type; may be given more than once
    #[arg(long, value_name = "TYPE=VALUE", value_parser = values::record)]
    record: Vec<RecordInput>,
    /// What the routes may cost [default: 5sat and 1% of the amount]
    #[arg(long, value_name = "AMOUNT")]
    max_fee: Option<Msat>,
    /// No attempt starts after it
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = values::duration)]
    timeout: Duration,
    /// The idempotency key [default: a random one, shown first]
    #[arg(long, value_name = "KEY", value_parser = values::key)]
    id: Option<String>,
    /// Answer once the payment is in the ledger
    #[arg(long)]
    no_wait: bool,
}

/// The answer: the payment, and how it ended in one word.
#[derive(Serialize)]
struct Answer {
    /// `settled`, `failed`, `still_in_flight`, or with `--no-wait` `pending`.
    outcome: &'static str,
    #[serde(flatten)]
    detail: PaymentDetail,
}

/// Asks the node to pay, and tells how it ends.
pub async fn execute(context: &Context, args: PayArgs) -> CommandResult {
    require_room(&args)?;
    let node = context.node()?;
    connect(&node, &args).await?;
    let (no_wait, timeout, drawn) = (args.no_wait, args.timeout, args.id.is_none());
    let request = request(args)?;
    let mut interrupt = Interrupt::listen()?;
    if let (true, Some(key)) = (drawn, &request.key) {
        context.output.progress(&format!("key {key}: with --id {key} this is paid at most once"));
    }
    let begun = begin(&node, &request, &mut interrupt).await?;
    let detail = match no_wait {
        true => begun,
        false => watch(context, &node, &request, begun, timeout, &mut interrupt).await?,
    };
    Ok(tell(context, detail, no_wait))
}

/// A payment that exists needs no peer to tell what became of it.
async fn connect(node: &Node<'_>, args: &PayArgs) -> Result<(), Failure> {
    let Some(address) = &args.to.address else { return Ok(()) };
    if let Some(key) = &args.id
        && node.payment_of_key(key).await?.is_some()
    {
        return Ok(());
    }
    let connected = node.client.connect_peer(args.to.id, address).await;
    connected.map(|_| ()).map_err(|error| node.failure(error))
}

fn request(args: PayArgs) -> Result<PayRequest, Failure> {
    let key = match args.id {
        Some(key) => key,
        None => fresh_key()?,
    };
    Ok(PayRequest {
        destination: args.to.id,
        amount_msat: args.amount,
        key: Some(key),
        max_fee_msat: args.max_fee,
        timeout_ms: Some(u64::try_from(args.timeout.as_millis()).expect("the parser allows a day")),
        max_attempts: None,
        message: args.message,
        records: args.record,
    })
}

/// Told here, where nothing is asked yet: a body of any size need not be sent for that.
fn require_room(args: &PayArgs) -> Result<(), Failure> {
    let hex_digits = |record: &RecordInput| record.value_hex.as_ref().map_or(0, String::len);
    let records: usize = args.record.iter().map(|record| hex_digits(record) / 2).sum();
    let bytes = args.message.as_ref().map_or(0, String::len) + records;
    if bytes < ONION_BYTES {
        return Ok(());
    }
    Err(Failure::new(
        Code::Usage,
        format!(
            "message and records have {bytes} bytes, and with the route less than {ONION_BYTES} fit into a payment: send less"
        ),
    ))
}

fn fresh_key() -> Result<String, Failure> {
    let mut key = [0; 16];
    getrandom::fill(&mut key)
        .map_err(|why| Failure::new(Code::Internal, format!("the system gives no randomness: {why}")))?;
    Ok(sponte_proto::hex(&key))
}

/// From here on the payment may exist: whatever goes wrong, and whoever loses patience, its key is
/// told.
async fn begin(
    node: &Node<'_>,
    request: &PayRequest,
    interrupt: &mut Interrupt,
) -> Result<PaymentDetail, Failure> {
    tokio::select! {
        // First, so that somebody listens before anything is sent.
        biased;
        () = interrupt.wait() => Err(with_key(interrupted(), request)),
        begun = node.client.pay(request, Duration::ZERO) => {
            begun.map_err(|error| with_key(node.failure(error), request))
        }
    }
}

fn interrupted() -> Failure {
    Failure::new(Code::StillInFlight, "interrupted before the node answered: it may yet be paid")
}

fn with_key(failure: Failure, request: &PayRequest) -> Failure {
    match (failure.code, &request.key) {
        (Code::NoNode | Code::Busy | Code::StillInFlight, Some(key)) => Failure::new(
            failure.code,
            format!("{}; repeat the command with --id {key}, which is paid at most once", failure.message),
        ),
        _ => failure,
    }
}

async fn watch(
    context: &Context,
    node: &Node<'_>,
    request: &PayRequest,
    mut detail: PaymentDetail,
    timeout: Duration,
    interrupt: &mut Interrupt,
) -> Result<PaymentDetail, Failure> {
    let end = Instant::now() + timeout + GRACE;
    let glance = if context.output.is_json() { timeout + GRACE } else { GLANCE };
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
                next.map_err(|error| with_key(node.failure(error), request))?
            }
            () = interrupt.wait() => return Ok(detail),
        };
    }
}

fn tell(context: &Context, detail: PaymentDetail, no_wait: bool) -> Done {
    let (outcome, done) = match detail.payment.state {
        State::Settled => ("settled", Done::Well),
        State::Failed | State::Canceled => ("failed", Done::Told(Code::PaymentFailed)),
        State::Pending | State::Held if no_wait => ("pending", Done::Well),
        State::Pending | State::Held => ("still_in_flight", Done::Told(Code::StillInFlight)),
    };
    let answer = Answer { outcome, detail };
    if context.output.is_json() || done == Done::Well {
        context.output.answer(&answer, |answer| words(&answer.detail));
    }
    if let Done::Told(code) = done {
        context.output.progress(&format!("error: {}", trouble(&answer.detail, code, &context.flags())));
    }
    done
}

fn words(detail: &PaymentDetail) -> String {
    let payment = &detail.payment;
    let mut rows = vec![match payment.state {
        State::Settled => ("paid", show::amount(payment.amount_msat)),
        _ => ("paying", show::amount(payment.amount_msat)),
    }];
    if let Some(preimage) = &payment.preimage_hex {
        let took = payment.updated_at_ms.millis_since(payment.created_at_ms);
        rows.push(("fee", show::amount(payment.fee_msat)));
        rows.push(("took", show::duration(Duration::from_millis(took))));
        rows.push(("preimage", preimage.clone()));
    }
    rows.push(("payment", payment.id.to_string()));
    if let Some(key) = &payment.key {
        rows.push(("key", key.clone()));
    }
    pairs(rows)
}

fn trouble(detail: &PaymentDetail, code: Code, flags: &str) -> String {
    let payment = &detail.payment;
    match (&payment.failure, code) {
        (Some(failure), Code::PaymentFailed) => {
            format!("not paid ({}): {} [payment {}]", failure.code, failure.message, payment.id)
        }
        (None, Code::PaymentFailed) => format!("not paid; see `sponte payments show {}{flags}`", payment.id),
        _ if detail.in_flight() => format!(
            "still in flight: it may yet be paid; see `sponte payments show {}{flags}` for the end",
            payment.id
        ),
        _ => format!("not ended yet; see `sponte payments show {}{flags}`", payment.id),
    }
}
