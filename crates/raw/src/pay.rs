//! Keysend as LDK sends it by itself: its router, its scorer, its retries.

use crate::inner::Inner;
use crate::node::key;
use crate::parts::Scorer;
use lightning::events::{Event, PathFailure};
use lightning::ln::channelmanager::PaymentId;
use lightning::ln::outbound_payment::{RecipientOnionFields, Retry, RetryableSendFailure};
use lightning::routing::router::{Path, PaymentParameters, RouteParameters};
use lightning::routing::scoring::ScoreUpdate as _;
use lightning::sign::EntropySource as _;
use sponte_proto::{Msat, NodeId};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

/// A keysend by LDK's own `send_spontaneous_payment`.
#[derive(Clone, Copy, Debug)]
pub struct Keysend {
    /// Who is paid.
    pub to: NodeId,
    /// What the destination gets.
    pub amount: Msat,
    /// What the route may cost.
    pub max_fee: Msat,
    /// How often LDK may try again after the first time.
    pub retries: u32,
    /// Blocks between the tip and the final HTLC's expiry.
    pub final_cltv: u16,
}

/// What became of one: its fee, or LDK's reason.
pub type Paid = Result<Msat, String>;

/// Who waits for the end of a payment.
#[derive(Default)]
pub struct Waiting(Mutex<HashMap<PaymentId, oneshot::Sender<Paid>>>);

impl Waiting {
    fn add(&self, id: PaymentId) -> oneshot::Receiver<Paid> {
        let (told, end) = oneshot::channel();
        self.0.lock().expect("unpoisoned").insert(id, told);
        end
    }

    fn end(&self, id: PaymentId, paid: Paid) {
        if let Some(told) = self.0.lock().expect("unpoisoned").remove(&id) {
            let _ = told.send(paid);
        }
    }
}

impl Inner {
    /// Pays by one HTLC at a time, and waits for the end.
    pub async fn pay(&self, keysend: Keysend) -> Paid {
        let Keysend { to, amount, max_fee, retries, final_cltv } = keysend;
        let mut payee = PaymentParameters::for_keysend(key(&to), u32::from(final_cltv), false);
        payee.max_path_count = 1;
        let mut params = RouteParameters::from_payment_params_and_value(payee, amount.to_msat());
        params.max_total_routing_fee_msat = Some(max_fee.to_msat());
        let id = PaymentId(self.keys.get_secure_random_bytes());
        let fields = RecipientOnionFields::spontaneous_empty(amount.to_msat());
        let end = self.waiting.add(id);
        let retry = Retry::Attempts(retries);
        let begun = self.manager.send_spontaneous_payment(None, fields, id, params, retry);
        if let Err(why) = begun {
            let why: RetryableSendFailure = why;
            self.waiting.end(id, Err(format!("{why:?}")));
        }
        self.peers.process_events();
        end.await.unwrap_or_else(|_| Err("the node ended".into()))
    }

    /// The end of a payment, or what a path teaches. Others are ignored.
    pub fn paying(&self, event: Event) {
        match event {
            Event::PaymentSent { payment_id: Some(id), fee_paid_msat, .. } => {
                let fee = Msat::new(fee_paid_msat.unwrap_or(0));
                self.waiting.end(id, fee.ok_or_else(|| "more than there is".into()));
            }
            Event::PaymentFailed { payment_id, reason, .. } => {
                self.waiting.end(payment_id, Err(format!("{reason:?}")));
            }
            Event::PaymentPathSuccessful { path, .. } => {
                self.score(|scorer, now| scorer.payment_path_successful(&path, now));
            }
            Event::PaymentPathFailed {
                payment_failed_permanently,
                failure: PathFailure::OnPath { network_update },
                path,
                short_channel_id,
                ..
            } => {
                if let Some(update) = network_update {
                    self.graph.handle_network_update(&update);
                }
                self.learn(&path, short_channel_id, payment_failed_permanently);
            }
            _ => {}
        }
    }

    /// As LDK's own event loop does it.
    fn learn(&self, path: &Path, at: Option<u64>, by_recipient: bool) {
        match at {
            Some(scid) => self.score(|scorer, now| scorer.payment_path_failed(path, scid, now)),
            None if by_recipient => self.score(|scorer, now| scorer.probe_successful(path, now)),
            None => {}
        }
    }

    fn score(&self, teach: impl FnOnce(&mut Scorer, Duration)) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        teach(&mut self.scorer.write().expect("unpoisoned"), now);
    }
}
