//! What comes back from those who were asked. Called on the threads of peers: it is kept for the step.

use crate::Wake;
use lightning::blinded_path::message::OffersContext;
use lightning::ln::channelmanager::PaymentId;
use lightning::onion_message::messenger::{MessageSendInstructions, Responder, ResponseInstruction};
use lightning::onion_message::offers::{OffersMessage, OffersMessageHandler};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

/// The first answer to each question that is open. Nobody else's is kept, so that no peer can make it
/// grow.
pub(crate) struct Answers {
    open: Mutex<HashMap<PaymentId, Option<OffersMessage>>>,
    wake: Wake,
}

impl Answers {
    pub(crate) fn new(wake: Wake) -> Answers {
        Answers { open: Mutex::default(), wake }
    }

    /// From now on answers are kept.
    pub(crate) fn open(&self, id: PaymentId) {
        self.table().insert(id, None);
    }

    pub(crate) fn close(&self, id: &PaymentId) {
        self.table().remove(id);
    }

    pub(crate) fn take(&self, id: &PaymentId) -> Option<OffersMessage> {
        self.table().get_mut(id)?.take()
    }

    fn table(&self) -> MutexGuard<'_, HashMap<PaymentId, Option<OffersMessage>>> {
        self.open.lock().expect("no panic while it is held")
    }
}

impl OffersMessageHandler for Answers {
    /// The messenger has made sure that it came over a path of ours, made for that question. This
    /// node has no offers: requests for invoices go unanswered.
    fn handle_message(
        &self,
        message: OffersMessage,
        context: Option<OffersContext>,
        _: Option<Responder>,
    ) -> Option<(OffersMessage, ResponseInstruction)> {
        let Some(OffersContext::OutboundPaymentForOffer { payment_id }) = context else { return None };
        if matches!(message, OffersMessage::InvoiceRequest(_)) {
            return None;
        }
        if let Some(answer) = self.table().get_mut(&payment_id).filter(|answer| answer.is_none()) {
            *answer = Some(message);
            (self.wake)();
        }
        None
    }

    fn release_pending_messages(&self) -> Vec<(OffersMessage, MessageSendInstructions)> {
        vec![]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lightning::offers::invoice_error::InvoiceError;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn error(text: &str) -> OffersMessage {
        OffersMessage::InvoiceError(InvoiceError::from_string(text.into()))
    }

    fn context(byte: u8) -> Option<OffersContext> {
        Some(OffersContext::OutboundPaymentForOffer { payment_id: PaymentId([byte; 32]) })
    }

    fn text(answer: Option<OffersMessage>) -> Option<String> {
        match answer {
            Some(OffersMessage::InvoiceError(error)) => Some(error.to_string()),
            Some(other) => panic!("{other:?}"),
            None => None,
        }
    }

    #[test]
    fn the_first_answer_to_an_open_question_is_kept() {
        let woken = Arc::new(AtomicUsize::new(0));
        let counted = woken.clone();
        let answers = Answers::new(Arc::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        }));
        let id = PaymentId([1; 32]);
        answers.open(id);
        for (message, context) in [
            (error("nobody asked"), context(2)),
            (error("of no question"), None),
            (error("first"), context(1)),
            (error("second"), context(1)),
        ] {
            assert!(answers.handle_message(message, context, None).is_none());
        }
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        assert_eq!(text(answers.take(&id)).as_deref(), Some("first"));
        assert_eq!(text(answers.take(&id)), None);
        answers.close(&id);
        answers.handle_message(error("late"), context(1), None);
        assert!(answers.table().is_empty());
    }
}
