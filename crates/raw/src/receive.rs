//! Payments to the node.

use crate::inner::Inner;
use lightning::events::PaymentPurpose;
use lightning::ln::channelmanager::FailureCode;
use lightning::ln::outbound_payment::RecipientOnionFields;
use lightning::types::payment::PaymentHash;

/// Which payments a node takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Receives {
    /// Keysend, with a payment secret or without, in one part or several; and what pays its invoices.
    #[default]
    Keysend,
    /// Keysend without a payment secret; others are failed with `required_node_feature_missing`,
    /// as a node answers that does not know them.
    WithoutSecret,
    /// None: each is failed with `incorrect_or_unknown_payment_details`.
    Nothing,
}

impl Inner {
    /// A payment is complete. Nodes of others take what they can.
    pub fn claimable(
        &self,
        hash: &PaymentHash,
        purpose: PaymentPurpose,
        fields: Option<RecipientOnionFields>,
    ) {
        let receives = *self.receives.lock().expect("unpoisoned");
        let has_secret = fields.is_some_and(|fields| fields.payment_secret.is_some());
        let is_keysend = matches!(purpose, PaymentPurpose::SpontaneousPayment(_));
        let refusal = match (receives, purpose.preimage()) {
            (Receives::Keysend, Some(preimage)) => {
                return self.manager.claim_funds_with_known_custom_tlvs(preimage);
            }
            (Receives::WithoutSecret, Some(preimage)) if is_keysend && !has_secret => {
                return self.manager.claim_funds_with_known_custom_tlvs(preimage);
            }
            (Receives::WithoutSecret, _) => FailureCode::RequiredNodeFeatureMissing,
            _ => FailureCode::IncorrectOrUnknownPaymentDetails,
        };
        self.manager.fail_htlc_backwards_with_reason(hash, refusal);
    }
}
