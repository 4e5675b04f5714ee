//! BOLT 11 invoices of this node: what all of them say, and those that are paid once.
//!
//! Nothing is stored of an invoice that is paid once. Hash and payment secret are derived from LDK's keys:
//! the secret holds amount and expiry, the preimage is a MAC of both. So LDK knows the payment by what
//! its payload says, and gives the preimage with it. To a secret that is made up, and to a payload with
//! a `payment_metadata`, which none of these invoices has, it answers PERM|15.
//!
//! LDK takes what is worth at least the amount. It counts the expiry in the time of blocks, with two
//! hours of grace.

use crate::Ldk;
use lightning::bolt11_invoice::{
    Bolt11InvoiceDescription, CreationError, Currency, Description, InvoiceBuilder, RawBolt11Invoice,
    RawTaggedField, TaggedField,
};
use lightning::ln::channelmanager::Bolt11InvoiceParameters;
use lightning::ln::inbound_payment::{self, ExpandedKey};
use lightning::routing::router::RouteHint;
use lightning::sign::{EntropySource, NodeSigner as _, Recipient};
use lightning::types::features::Bolt11InvoiceFeatures;
use lightning::types::payment::{PaymentHash as LdkHash, PaymentSecret as LdkSecret};
use sponte_engine::backend::{InvoiceTerms, MadeInvoice, Refusal, RefusalKind};
use sponte_proto::PaymentHash;
use std::time::Duration;

/// Blocks that a payer leaves at least. More than the least that LDK takes, so that there is time to
/// wait for a set, and to hold it: as LND asks for.
const FINAL_CLTV_DELTA: u64 = 80;

/// What a payment is known by: its hash, and what its payload must say.
pub(crate) struct Lock {
    pub(crate) hash: LdkHash,
    pub(crate) secret: LdkSecret,
}

impl Ldk {
    /// Makes an invoice that is paid once, in as many parts as the payer likes.
    pub(crate) fn make_invoice(&self, request: &InvoiceTerms) -> Result<MadeInvoice, Refusal> {
        let tip_s = self.status.snapshot().tip.map_or(0, |tip| u64::from(tip.time_s));
        let keys = self.node.keys.get_expanded_key();
        let lock = lock(&keys, &*self.node.keys, request, tip_s).ok_or_else(|| {
            Refusal::new(RefusalKind::Invalid, "the amount is more than an invoice can ask for: ask for less")
        })?;
        let hash = PaymentHash::from_bytes(lock.hash.0);
        let bolt11 = self.sign_invoice(request, lock, Bolt11InvoiceFeatures::set_basic_mpp_optional)?;
        Ok(MadeInvoice { bolt11, hash })
    }

    /// Signs an invoice with the features `var_onion_optin` and `payment_secret`, required, and those
    /// that are added, and with hints where the node has no public channel.
    pub(crate) fn sign_invoice(
        &self,
        request: &InvoiceTerms,
        lock: Lock,
        add: impl Fn(&mut Bolt11InvoiceFeatures),
    ) -> Result<String, Refusal> {
        let currency = Currency::from(self.config.network);
        let raw = raw(request, currency, lock, self.hints(request), add).map_err(|error| refusal(&error))?;
        let signature = self.node.keys.sign_invoice(&raw, Recipient::Node);
        let signed = raw.sign(|_| signature);
        let signed = signed
            .map_err(|()| Refusal::new(RefusalKind::Unavailable, "the node's key did not sign: try again"))?;
        Ok(signed.to_string())
    }

    /// Those of an invoice that LDK would make; it tells them to nobody else.
    fn hints(&self, request: &InvoiceTerms) -> Vec<RouteHint> {
        let params = Bolt11InvoiceParameters {
            amount_msats: request.amount.map(|amount| amount.to_msat()),
            description: Bolt11InvoiceDescription::Direct(Description::empty()),
            ..Bolt11InvoiceParameters::default()
        };
        let invoice = self.node.manager.create_bolt11_invoice(params);
        invoice.map(|invoice| invoice.route_hints()).unwrap_or_default()
    }
}

/// What LDK will know the payment by. Its time is that of the latest block, `tip_s`: where blocks are
/// ahead of the clock, the expiry counts from them. `None` for an amount beyond the supply.
fn lock(
    keys: &ExpandedKey,
    entropy: &impl EntropySource,
    request: &InvoiceTerms,
    tip_s: u64,
) -> Option<Lock> {
    let amount = request.amount.map(|amount| amount.to_msat());
    let created_s = request.created_at.to_millis() / 1_000;
    let expires_s = request.expires_at.to_millis().div_ceil(1_000);
    let seconds = u32::try_from(expires_s.saturating_sub(created_s)).unwrap_or(u32::MAX);
    // Any delta that LDK takes is taken: a payer may count from an older block.
    let made = inbound_payment::create(keys, amount, seconds, entropy, created_s.max(tip_s), None, None);
    let (hash, secret, _) = made.ok()?;
    Some(Lock { hash, secret })
}

pub(crate) fn raw(
    request: &InvoiceTerms,
    currency: Currency,
    lock: Lock,
    hints: Vec<RouteHint>,
    add: impl Fn(&mut Bolt11InvoiceFeatures),
) -> Result<RawBolt11Invoice, CreationError> {
    let created = Duration::from_millis(request.created_at.to_millis());
    let expires = Duration::from_millis(request.expires_at.to_millis());
    // An invoice counts in seconds.
    let created = Duration::from_secs(created.as_secs());
    let mut builder = InvoiceBuilder::new(currency)
        .description(request.description.clone())
        .payment_hash(lock.hash)
        .payment_secret(lock.secret)
        .duration_since_epoch(created)
        .expiry_time(expires.saturating_sub(created))
        .min_final_cltv_expiry_delta(FINAL_CLTV_DELTA);
    if let Some(amount) = request.amount {
        builder = builder.amount_milli_satoshis(amount.to_msat());
    }
    for hint in hints {
        builder = builder.private_route(hint);
    }
    let mut raw = builder.build_raw()?;
    for field in &mut raw.data.tagged_fields {
        if let RawTaggedField::KnownSemantics(TaggedField::Features(features)) = field {
            add(features);
        }
    }
    Ok(raw)
}

fn refusal(error: &CreationError) -> Refusal {
    let message = match error {
        CreationError::DescriptionTooLong => {
            "the description is longer than the 639 bytes of an invoice".into()
        }
        CreationError::InvalidAmount => "the amount is more than an invoice can ask for".into(),
        other => format!("there is no such invoice: {other}"),
    };
    Refusal::new(RefusalKind::Invalid, message)
}

#[cfg(test)]
pub(crate) mod tests;
