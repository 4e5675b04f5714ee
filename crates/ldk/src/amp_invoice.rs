//! BOLT 11 invoices for AMP, as LND makes them: any number of payments, each with hashes of its
//! own, and all with the invoice's payment address.

use crate::Ldk;
use crate::invoice::Lock;
use lightning::sign::EntropySource as _;
use lightning::types::features::Bolt11InvoiceFeatures;
use lightning::types::payment::{PaymentHash as LdkHash, PaymentSecret as LdkSecret};
use sponte_engine::backend::{AmpInvoiceRequest, Refusal};
use sponte_proto::amp::AMP_REQUIRED;

impl Ldk {
    /// Signs an invoice that requires AMP. Its hash means nothing.
    pub(crate) fn sign_amp_invoice(&self, request: &AmpInvoiceRequest) -> Result<String, Refusal> {
        let hash = LdkHash(self.node.keys.get_secure_random_bytes());
        let lock = Lock { hash, secret: LdkSecret(*request.payment_addr.as_bytes()) };
        self.sign_invoice(&request.invoice, lock, require_amp)
    }
}

fn require_amp(features: &mut Bolt11InvoiceFeatures) {
    features.set_required_feature_bit(AMP_REQUIRED.into()).expect("30 is among the 256 bits of BOLT 9");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invoice::tests::{request, signed};
    use sponte_proto::amp::is_amp_invoice;

    #[test]
    fn an_amp_invoice_says_what_lnd_reads() {
        for amount in [None, Some(1_000_000), Some(1)] {
            let lock = Lock { hash: LdkHash([5; 32]), secret: LdkSecret([7; 32]) };
            let said = signed(&request(amount, "soup"), lock, require_amp);
            assert!(is_amp_invoice(&said.features));
            assert_eq!(said.features.iter().collect::<Vec<_>>(), [8, 14, 30]);
            assert_eq!(said.raw.payment_secret().expect("an address").0, [7; 32]);
            said.assert_asks(amount, "soup");
        }
    }
}
