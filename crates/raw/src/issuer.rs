//! Invoices of the node, and offers for which it gives them.

use crate::RawNode;
use crate::parts::Manager;
use lightning::blinded_path::message::OffersContext;
use lightning::ln::channelmanager::Bolt11InvoiceParameters;
use lightning::onion_message::messenger::{MessageSendInstructions, Responder, ResponseInstruction};
use lightning::onion_message::offers::{OffersMessage, OffersMessageHandler};
use sponte_proto::Msat;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// LDK's own answers, counted; or none.
pub struct Issuer {
    manager: Arc<Manager>,
    pub silent: AtomicBool,
    pub asked: AtomicUsize,
}

impl Issuer {
    pub fn new(manager: Arc<Manager>) -> Issuer {
        Issuer { manager, silent: AtomicBool::new(false), asked: AtomicUsize::new(0) }
    }
}

impl OffersMessageHandler for Issuer {
    fn handle_message(
        &self,
        message: OffersMessage,
        context: Option<OffersContext>,
        responder: Option<Responder>,
    ) -> Option<(OffersMessage, ResponseInstruction)> {
        if matches!(message, OffersMessage::InvoiceRequest(_)) {
            self.asked.fetch_add(1, Ordering::AcqRel);
        }
        if self.silent.load(Ordering::Acquire) {
            return None;
        }
        self.manager.handle_message(message, context, responder)
    }

    fn release_pending_messages(&self) -> Vec<(OffersMessage, MessageSendInstructions)> {
        self.manager.release_pending_messages()
    }
}

impl RawNode {
    /// An offer (BOLT 12) of its own, over any amount if none is given.
    ///
    /// # Errors
    /// LDK's reason: nobody could ask it for an invoice.
    pub fn offer(&self, amount: Option<Msat>) -> Result<String, String> {
        let offer = self.inner.manager.create_offer_builder();
        let mut offer = offer.map_err(|why| format!("{why:?}"))?.description("soup".into());
        if let Some(amount) = amount {
            offer = offer.amount_msats(amount.to_msat());
        }
        offer.build().map(|offer| offer.to_string()).map_err(|why| format!("{why:?}"))
    }

    /// An invoice (BOLT 11) of its own, over any amount if none is given.
    ///
    /// # Errors
    /// LDK's reason.
    pub fn invoice(&self, amount: Option<Msat>) -> Result<String, String> {
        let amount_msats = amount.map(Msat::to_msat);
        let params = Bolt11InvoiceParameters { amount_msats, ..Bolt11InvoiceParameters::default() };
        let invoice = self.inner.manager.create_bolt11_invoice(params);
        invoice.map(|invoice| invoice.to_string()).map_err(|why| format!("{why:?}"))
    }

    /// Whether it answers nobody who asks for an invoice, from now on.
    pub fn keep_silent(&self, silent: bool) {
        self.inner.issuer.silent.store(silent, Ordering::Release);
    }

    /// How often it was asked for an invoice.
    pub fn asked(&self) -> usize {
        self.inner.issuer.asked.load(Ordering::Acquire)
    }
}
