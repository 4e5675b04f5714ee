//! Payments as a user's program asks for them: with a key, again and again until they have ended.

use crate::node::{Node, client};
use crate::until::{GLANCE, Outcome};
use crate::world::World;
use sponte_api::{
    ClientError, Code, Limits, PayInvoiceRequest, PayRequest, PaymentDetail, RecordInput, State,
};
use sponte_proto::{Msat, NodeId};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// No payment may stay open longer, whatever is killed meanwhile.
const LONGEST: Duration = Duration::from_secs(240);
/// How long one request waits.
const WAIT: Duration = Duration::from_secs(5);
/// Attempts begin until then: longer than the kills go on, on a machine that has much else to do.
const TIMEOUT_MS: u64 = 180_000;

/// A payment that is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    pub from: usize,
    pub to: usize,
    pub request: PayRequest,
    /// An invoice of the destination's that is paid, instead of nothing asked for.
    invoice: Option<String>,
    dir: PathBuf,
    /// Also a node that takes back what it said is asked on.
    patient: bool,
}

impl Asked {
    /// A payment with a key of its own.
    pub fn new(world: &World, from: usize, to: usize, amount: Msat, key: &str) -> Asked {
        Asked { from, to, ..Asked::of(&world.nodes[from], world.nodes[to].id(), amount, key) }
    }

    /// As [`Asked::new`], in a world of another shape.
    pub fn of(from: &Node, to: NodeId, amount: Msat, key: &str) -> Asked {
        let limits = Limits { timeout_ms: Some(TIMEOUT_MS), max_attempts: Some(1_000), ..Limits::default() };
        let request = PayRequest { key: Some(key.to_owned()), limits, ..PayRequest::new(to, amount) };
        Asked { from: 0, to: 0, request, invoice: None, dir: from.dir.clone(), patient: false }
    }

    /// Goes on asking a node that does not know what it has just answered: the control looks for
    /// worse.
    pub fn patient(mut self, patient: bool) -> Asked {
        self.patient = patient;
        self
    }

    /// To an invoice over the amount.
    pub fn invoice(mut self, text: &str) -> Asked {
        self.invoice = Some(text.to_owned());
        self
    }

    /// With a text message.
    pub fn message(mut self, text: &str) -> Asked {
        self.request.message = Some(text.to_owned());
        self
    }

    /// With a custom record.
    pub fn record(mut self, kind: u64, value: &[u8]) -> Asked {
        self.request.records.push(RecordInput::bytes(kind, value));
        self
    }

    /// The idempotency key.
    pub fn key(&self) -> &str {
        self.request.key.as_deref().expect("every payment here has one")
    }

    /// Asks with the same key until the payment has ended, over all restarts of the node.
    pub async fn ended(&self) -> Outcome<PaymentDetail> {
        let deadline = Instant::now() + LONGEST;
        loop {
            if let Some(detail) = self.ask(WAIT).await? {
                return Ok(detail);
            }
            if Instant::now() >= deadline {
                return Err(format!("{} is still open after {} s", self.key(), LONGEST.as_secs()));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Asks once; nothing if it is open or nobody answers.
    pub async fn ask(&self, wait: Duration) -> Outcome<Option<PaymentDetail>> {
        let Ok(client) = client(&self.dir) else { return Ok(None) };
        let PayRequest { key, limits, .. } = self.request.clone();
        let answer = match self.invoice.clone() {
            None => client.pay(&self.request, wait).await,
            Some(invoice) => {
                let request = PayInvoiceRequest { key, limits, ..PayInvoiceRequest::new(invoice) };
                client.pay_invoice(&request, wait).await
            }
        };
        match answer {
            Ok(detail) => Ok((detail.payment.state != State::Pending).then_some(detail)),
            Err(ClientError::Refused(why)) if self.patient && why.code == Code::NotFound => Ok(None),
            Err(ClientError::Refused(why)) if why.code != Code::Busy => {
                Err(format!("{} was refused: {why}", self.key()))
            }
            // Killed before or while it answered, or on its way down or up.
            Err(_) => Ok(None),
        }
    }
}
