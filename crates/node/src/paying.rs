//! What callers ask about payments from us: to begin one, what it would cost, to end its attempts.

use crate::answers::Caller;
use crate::error::{Fatal, PayError};
use crate::handle::Handle;
use crate::lookup;
use crate::message::Message;
use crate::step::Loop;
use sponte_engine::backend::{Admin, Backend, InvoiceRequest};
use sponte_engine::commit::Failure;
use sponte_engine::{Input, PayRequest, Quoted};
use sponte_proto::PaymentId;

/// The payment, or why there is none.
pub(crate) type PayAnswer = Result<PaymentId, sponte_engine::PayError>;

/// How a payment could be made now, or why it could not.
pub(crate) type QuoteAnswer = Result<Result<Quoted, Failure>, sponte_engine::PayError>;

impl Handle {
    /// Begins a payment, or finds the one that its key stands for, whatever became of it. Only for a
    /// new payment of an offer its issuer is asked for an invoice.
    ///
    /// # Errors
    /// See [`PayError`]. After [`PayError::Stopped`] the payment may or may not have begun; the
    /// same key tells.
    pub async fn pay(&self, request: PayRequest) -> Result<PaymentId, PayError> {
        if !request.awaits_invoice() {
            return self.begin(request).await;
        }
        match self.begin(request.clone()).await {
            Err(PayError::Refused(sponte_engine::PayError::InvoiceAwaited)) => {
                self.begin(self.with_invoice(request).await?).await
            }
            known => known,
        }
    }

    async fn begin(&self, request: PayRequest) -> Result<PaymentId, PayError> {
        let (caller, answer) = Caller::new(self.permit().ok_or(PayError::Busy)?);
        self.send(Message::Pay(Box::new(request), caller)).ok_or(PayError::Stopped)?;
        Ok(answer.await.map_err(|_| PayError::Stopped)??)
    }

    /// Asks the issuer of its offer.
    async fn with_invoice(&self, request: PayRequest) -> Result<PayRequest, PayError> {
        let Some((invoice, _)) = &request.invoice else { return Ok(request) };
        let offered = invoice.offered.as_ref();
        let wanted = InvoiceRequest {
            offer: invoice.text.clone(),
            amount: request.amount,
            quantity: offered.and_then(|offered| offered.quantity),
            note: offered.and_then(|offered| offered.note.clone()),
            patience_ms: request.timeout_ms,
        };
        let given = self.admin(|reply| Admin::FetchInvoice(Box::new(wanted), reply)).await;
        Ok(request.with_offer_invoice(*given.map_err(PayError::NoInvoice)?))
    }

    /// How a payment could be made now, or why it would fail. Nothing is written or sent, but that the
    /// issuer of an offer is asked for an invoice.
    ///
    /// # Errors
    /// The request makes no sense, the issuer gives no invoice, or the node is busy or has stopped.
    pub async fn quote(&self, request: PayRequest) -> Result<Result<Quoted, Failure>, PayError> {
        if !request.awaits_invoice() {
            return self.ask_quote(request).await;
        }
        match self.ask_quote(request.clone()).await {
            Err(PayError::Refused(sponte_engine::PayError::InvoiceAwaited)) => {
                self.ask_quote(self.with_invoice(request).await?).await
            }
            refused => refused,
        }
    }

    async fn ask_quote(&self, request: PayRequest) -> Result<Result<Quoted, Failure>, PayError> {
        let (caller, answer) = Caller::new(self.permit().ok_or(PayError::Busy)?);
        self.send(Message::Quote(Box::new(request), caller)).ok_or(PayError::Stopped)?;
        Ok(answer.await.map_err(|_| PayError::Stopped)??)
    }

    /// Ends further attempts of a payment. What is on its way may still be paid.
    ///
    /// # Errors
    /// There is no such payment, it has ended, or the node is busy or has stopped.
    pub async fn cancel(&self, payment: PaymentId) -> Result<(), PayError> {
        let (caller, answer) = Caller::new(self.permit().ok_or(PayError::Busy)?);
        self.send(Message::Cancel(payment, caller)).ok_or(PayError::Stopped)?;
        answer.await.map_err(|_| PayError::Stopped)??;
        Ok(())
    }
}

impl<B: Backend> Loop<B> {
    pub(crate) fn pay(&mut self, request: Box<PayRequest>, caller: Caller<PayAnswer>) -> Result<(), Fatal> {
        let id = self.engine.payment_id(&request.key);
        let known = lookup::known(&self.doors.ledger, &self.flights, id, request.invoice_hash());
        let ticket = self.ticket();
        self.callers.insert(ticket, caller);
        self.handle(Input::Pay(request, ticket, known.map_err(Fatal::Ledger)?));
        Ok(())
    }

    pub(crate) fn quote(&mut self, request: Box<PayRequest>, caller: Caller<QuoteAnswer>) {
        let ticket = self.ticket();
        self.quoters.insert(ticket, caller);
        self.handle(Input::Quote(request, ticket));
    }

    pub(crate) fn cancel(&mut self, id: PaymentId, caller: Caller<PayAnswer>) -> Result<(), Fatal> {
        let known = lookup::payment(&self.doors.ledger, &self.flights, id).map_err(Fatal::Ledger)?;
        let ticket = self.ticket();
        self.callers.insert(ticket, caller);
        self.handle(Input::Cancel(id, ticket, known.map(Box::new)));
        Ok(())
    }
}
