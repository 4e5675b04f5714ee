//! Feature bits of AMP, and the features of an AMP invoice.

use crate::Features;
use crate::mpp::PAYMENT_SECRET_REQUIRED;

/// Feature bit AMP, required: in invoices (lnd at 90ea05d5a, `lnwire/features.go`; not in BOLT 9).
pub const AMP_REQUIRED: u16 = 30;
/// Feature bit AMP, optional: in `init` and `node_announcement`. LND sets it always, whether or
/// not it accepts spontaneous AMP.
pub const AMP_OPTIONAL: u16 = 31;
const VAR_ONION_REQUIRED: u16 = 8;

/// The features of an AMP invoice, BOLT 11 field 9: `var_onion_optin`, `payment_secret` and AMP,
/// all required, and no `basic_mpp`. A payer that doesn't know AMP refuses bit 30.
pub fn invoice_features() -> Features {
    [VAR_ONION_REQUIRED, PAYMENT_SECRET_REQUIRED, AMP_REQUIRED].into_iter().collect()
}

/// Whether an invoice with these features is to be paid by AMP. Its payment hash means nothing
/// then; it is payable many times, each time with another root and set id.
pub fn is_amp_invoice(features: &Features) -> bool {
    features.supports(AMP_REQUIRED)
}
