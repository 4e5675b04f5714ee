//! Invoices of nodes, and what pays them.

use crate::TestNode;
use sponte_engine::backend::{Admin, MadeInvoice, Payable};
use sponte_node::{NewInvoice, PaymentRequest};
use sponte_proto::Msat;

impl TestNode {
    /// An invoice that is paid once, within an hour; over any amount if none is given.
    pub async fn invoice(&self, amount: Option<Msat>) -> MadeInvoice {
        let new = NewInvoice { amount, description: "tea".into(), expiry_ms: 3_600_000 };
        self.handle().create_invoice(new).await.expect("a sound invoice").1
    }

    /// A request to pay an invoice of whatever node, as `pay-invoice` makes it, with a key of its own.
    pub async fn request_for(&self, invoice: &str, amount: Option<Msat>) -> PaymentRequest {
        let text = invoice.to_owned();
        let read = self.handle().admin(move |reply| Admin::ReadPayable(text, reply)).await;
        let Payable::Invoice(invoice) = read.expect("it reads") else { panic!("an invoice, and no offer") };
        let amount = invoice.amount_to_pay(amount).expect("an amount");
        let request = TestNode::request_to(invoice.destination, &format!("{}msat", amount.to_msat()));
        request.for_invoice(*invoice)
    }
}
