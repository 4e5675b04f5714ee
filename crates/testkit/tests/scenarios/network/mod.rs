//! Every kind over a network of ten nodes with several routes, bad routers among them.

mod errors;
mod fees;
mod hops;
mod kinds;
mod large;
mod once;
mod refusals;
mod stalls;

use sponte_engine::commit::{AttemptRow, Kind, PaidInvoice, PartRow, PaymentRow, State};
use sponte_node::{NewInvoice, PaymentRequest};
use sponte_proto::{Msat, NodeId, PaymentId};
use sponte_testkit::{Network, TestNode, until};

/// All that the ledger says of a payment that has ended.
struct Told {
    row: PaymentRow,
    attempts: Vec<AttemptRow>,
    parts: Vec<PartRow>,
}

impl Told {
    async fn of(node: &TestNode, id: PaymentId) -> Told {
        let ledger = node.handle().ledger().clone();
        let row = node.ended(id).await;
        let attempts = ledger.attempts(&id).expect("the ledger reads");
        let parts = ledger.parts(&id).expect("the ledger reads");
        Told { row, attempts, parts }
    }

    fn failed(&self) -> Vec<&PartRow> {
        self.parts.iter().filter(|part| part.state == State::Failed).collect()
    }

    fn settled(&self) -> Vec<&PartRow> {
        self.parts.iter().filter(|part| part.state == State::Settled).collect()
    }

    fn assert_paid(&self) {
        let Told { row, .. } = self;
        assert_eq!(row.state, State::Settled, "{row:#?} {:#?}", self.parts);
        let (amount, fee) = self
            .settled()
            .iter()
            .fold((0, 0), |(amount, fee), part| (amount + part.amount.to_msat(), fee + part.fee.to_msat()));
        assert_eq!((amount, fee), (row.amount.to_msat(), row.fee.to_msat()), "{:#?}", self.parts);
        assert!(row.fee <= row.max_fee);
    }

    /// Its code, and what a user reads.
    fn assert_failed(&self) -> (&str, &str) {
        assert_eq!(self.row.state, State::Failed, "{:#?} {:#?}", self.row, self.parts);
        let failure = self.row.failure.as_ref().expect("it failed for a reason");
        (&failure.code, &failure.message)
    }
}

const SPONTANEOUS: [Kind; 4] = [Kind::Keysend, Kind::MppKeysend, Kind::Amp, Kind::Ecdh];

/// Every kind that is sent without asking the destination for a hash.
const EVERY: [Kind; 5] = [Kind::Keysend, Kind::MppKeysend, Kind::Amp, Kind::AmpInvoice, Kind::Ecdh];

fn msat(msat: u64) -> Msat {
    Msat::new(msat).expect("in supply")
}

/// With as many attempts as the API has by default: several routers fail what they are given.
fn request(to: NodeId, amount: &str, kind: Option<Kind>) -> PaymentRequest {
    PaymentRequest { kind, max_attempts: 30, ..TestNode::request_to(to, amount) }
}

/// A request of this kind; of an AMP invoice, one that `to` has just made.
async fn request_of(kind: Kind, to: &TestNode, amount: &str) -> PaymentRequest {
    if kind != Kind::AmpInvoice {
        return request(to.id(), amount, Some(kind));
    }
    let new = NewInvoice { amount: None, description: "coffee".into(), expiry_ms: 3_600_000 };
    let row = to.handle().create_amp_invoice(new).await.expect("an invoice");
    let (text, payment_addr) = (row.bolt11, Some(row.payment_addr));
    let invoice = PaidInvoice { text, hash: None, payment_addr, metadata: None, offered: None };
    PaymentRequest { invoice: Some((invoice, row.expires_at)), ..request(to.id(), amount, None) }
}

async fn pay(network: &Network, request: PaymentRequest) -> Told {
    let id = network.alice.begin(request).await.expect("a sound request");
    Told::of(&network.alice, id).await
}

/// Waits until so many parts of a payment are pending.
async fn pending(node: &TestNode, id: PaymentId, parts: usize) {
    until(&format!("{parts} parts to be pending"), async || {
        let rows = node.handle().ledger().parts(&id).expect("the ledger reads");
        let pending = rows.iter().filter(|part| part.state == State::Pending).count();
        (pending == parts).then_some(())
    })
    .await;
}
