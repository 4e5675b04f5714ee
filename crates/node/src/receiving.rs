//! What callers ask about payments to us: held ones, invoices, which are taken.

use crate::answers::Caller;
use crate::clock;
use crate::error::{Fatal, ReceiveError};
use crate::handle::Handle;
use crate::lookup;
use crate::message::Message;
use crate::step::Loop;
use sponte_engine::backend::{Admin, AmpInvoiceRequest, Backend, InvoiceTerms, MadeInvoice};
use sponte_engine::commit::{AmpInvoiceRow, InvoiceState};
use sponte_engine::{Decision, Input, Receive};
use sponte_proto::{Msat, PaymentId, PaymentSecret};

/// The answer to what was asked.
pub(crate) type Answer = Result<(), ReceiveError>;

/// What is asked about payments to us.
pub(crate) enum Asked {
    /// A held payment is to be claimed or failed.
    Decide(PaymentId, Decision),
    /// An invoice that the backend has signed.
    Signed(AmpInvoiceRequest, String),
    /// An invoice is never to be paid again.
    CancelInvoice(PaymentSecret),
    /// Other payments are taken from now on.
    Receive(Option<Box<Receive>>),
}

/// An invoice to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvoice {
    /// The least that a payment must be worth; any if there is none.
    pub amount: Option<Msat>,
    /// For the payer.
    pub description: String,
    /// For how long it can be paid.
    pub expiry_ms: u64,
}

impl NewInvoice {
    fn request(self) -> Result<InvoiceTerms, ReceiveError> {
        let created_at = clock::now();
        let request = InvoiceTerms {
            amount: self.amount,
            description: self.description,
            created_at,
            expires_at: created_at.plus_millis(self.expiry_ms),
        };
        sponte_engine::check_invoice(&request)?;
        Ok(request)
    }
}

impl Handle {
    /// Claims or fails a held payment.
    ///
    /// # Errors
    /// It is not held, or the node is busy or has stopped.
    pub async fn decide(&self, payment: PaymentId, decision: Decision) -> Result<(), ReceiveError> {
        self.ask(Asked::Decide(payment, decision)).await
    }

    /// Makes an invoice that is paid once. Nothing is written: it can be paid at once, and over
    /// restarts.
    ///
    /// # Errors
    /// It makes no sense, the backend does not sign it, or the node is busy or has stopped.
    pub async fn create_invoice(&self, new: NewInvoice) -> Result<(InvoiceTerms, MadeInvoice), ReceiveError> {
        let request = new.request()?;
        let asked = request.clone();
        let made = self.admin(|reply| Admin::Invoice(asked, reply)).await;
        Ok((request, made.map_err(ReceiveError::Unsigned)?))
    }

    /// Makes an AMP invoice, payable any number of times; answers its row.
    ///
    /// # Errors
    /// It makes no sense, the backend does not sign it, or the node is busy or has stopped.
    pub async fn create_amp_invoice(&self, new: NewInvoice) -> Result<AmpInvoiceRow, ReceiveError> {
        let mut payment_addr = [0; 32];
        getrandom::fill(&mut payment_addr).map_err(|_| ReceiveError::NoRandomness)?;
        let payment_addr = PaymentSecret::from_bytes(payment_addr);
        let request = AmpInvoiceRequest { payment_addr, invoice: new.request()? };
        let asked = request.clone();
        let bolt11 = self.admin(|reply| Admin::AmpInvoice(asked, reply)).await;
        let bolt11 = bolt11.map_err(ReceiveError::Unsigned)?;
        self.ask(Asked::Signed(request.clone(), bolt11.clone())).await?;
        Ok(row(request, bolt11))
    }

    /// Makes an AMP invoice unpayable for good; what was received stays.
    ///
    /// # Errors
    /// There is no such invoice, it is canceled already, or the node is busy or has stopped.
    pub async fn cancel_amp_invoice(&self, payment_addr: PaymentSecret) -> Result<(), ReceiveError> {
        self.ask(Asked::CancelInvoice(payment_addr)).await
    }

    /// Replaces what is taken and held from now on, also after a restart; `None` for what the
    /// configuration says.
    ///
    /// # Errors
    /// It makes no sense, or the node is busy or has stopped.
    pub async fn set_receive(&self, receive: Option<Receive>) -> Result<(), ReceiveError> {
        self.ask(Asked::Receive(receive.map(Box::new))).await
    }

    /// Which payments to us are taken and held, and whether that was set at run time.
    ///
    /// # Errors
    /// The node is busy or has stopped.
    pub async fn receive(&self) -> Result<(Receive, bool), ReceiveError> {
        let (caller, answer) = Caller::new(self.permit().ok_or(ReceiveError::Busy)?);
        self.send(Message::Policy(caller)).ok_or(ReceiveError::Stopped)?;
        answer.await.map_err(|_| ReceiveError::Stopped)
    }

    async fn ask(&self, asked: Asked) -> Result<(), ReceiveError> {
        let (caller, answer) = Caller::new(self.permit().ok_or(ReceiveError::Busy)?);
        self.send(Message::Ask(asked, caller)).ok_or(ReceiveError::Stopped)?;
        answer.await.map_err(|_| ReceiveError::Stopped)?
    }
}

impl<B: Backend> Loop<B> {
    pub(crate) fn ask(&mut self, asked: Asked, caller: Caller<Answer>) -> Result<(), Fatal> {
        let ticket = self.ticket();
        let (ledger, flights) = (&self.doors.ledger, &self.flights);
        let input = match asked {
            Asked::Decide(id, decision) => {
                let known = lookup::payment(ledger, flights, id).map_err(Fatal::Ledger)?;
                Input::Decide(id, decision, ticket, known.map(Box::new))
            }
            Asked::Signed(request, bolt11) => Input::AmpInvoice(Box::new(row(request, bolt11)), ticket),
            Asked::CancelInvoice(payment_addr) => {
                let known = lookup::amp_invoice(ledger, flights, &payment_addr).map_err(Fatal::Ledger)?;
                Input::CancelAmpInvoice(known.map(Box::new), ticket)
            }
            Asked::Receive(receive) => Input::Receive(receive, ticket),
        };
        self.askers.insert(ticket, caller);
        self.handle(input);
        Ok(())
    }
}

fn row(request: AmpInvoiceRequest, bolt11: String) -> AmpInvoiceRow {
    let AmpInvoiceRequest { payment_addr, invoice } = request;
    let InvoiceTerms { amount, description, created_at, expires_at } = invoice;
    AmpInvoiceRow {
        payment_addr,
        bolt11,
        amount,
        description,
        created_at,
        expires_at,
        state: InvoiceState::Open,
        payments: 0,
        received: Msat::ZERO,
    }
}
