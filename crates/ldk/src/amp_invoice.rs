//! BOLT 11 invoices for AMP, as LND makes them: any number of payments, each with hashes of its
//! own, and all with the invoice's payment address.

use crate::Ldk;
use lightning::bolt11_invoice::{
    Bolt11InvoiceDescription, CreationError, Currency, Description, InvoiceBuilder, RawBolt11Invoice,
    RawTaggedField, TaggedField,
};
use lightning::ln::channelmanager::Bolt11InvoiceParameters;
use lightning::routing::router::RouteHint;
use lightning::sign::{EntropySource as _, NodeSigner as _, Recipient};
use lightning::types::payment::{PaymentHash as LdkHash, PaymentSecret as LdkSecret};
use sponte_engine::backend::{AmpInvoiceRequest, Refusal, RefusalKind};
use sponte_proto::amp::AMP_REQUIRED;
use std::time::Duration;

/// Blocks that a payer leaves at least. More than the least that LDK takes, so that there is time to
/// wait for a set, and to hold it: as LND asks for.
const FINAL_CLTV_DELTA: u64 = 80;

impl Ldk {
    /// Signs an invoice with the features `var_onion_optin`, `payment_secret` and AMP, all required,
    /// and with hints where the node has no public channel. Its hash means nothing.
    pub(crate) fn sign_amp_invoice(&self, request: &AmpInvoiceRequest) -> Result<String, Refusal> {
        let hash = LdkHash(self.node.keys.get_secure_random_bytes());
        let currency = Currency::from(self.config.network);
        let raw = raw(request, currency, hash, self.hints(request)).map_err(|error| refusal(&error))?;
        let signature = self.node.keys.sign_invoice(&raw, Recipient::Node);
        let signed = raw.sign(|_| signature);
        let signed = signed
            .map_err(|()| Refusal::new(RefusalKind::Unavailable, "the node's key did not sign: try again"))?;
        Ok(signed.to_string())
    }

    /// Those of an invoice that LDK would make; it tells them to nobody else.
    fn hints(&self, request: &AmpInvoiceRequest) -> Vec<RouteHint> {
        let params = Bolt11InvoiceParameters {
            amount_msats: request.amount.map(|amount| amount.to_msat()),
            description: Bolt11InvoiceDescription::Direct(Description::empty()),
            ..Bolt11InvoiceParameters::default()
        };
        let invoice = self.node.manager.create_bolt11_invoice(params);
        invoice.map(|invoice| invoice.route_hints()).unwrap_or_default()
    }
}

fn raw(
    request: &AmpInvoiceRequest,
    currency: Currency,
    hash: LdkHash,
    hints: Vec<RouteHint>,
) -> Result<RawBolt11Invoice, CreationError> {
    let created = Duration::from_millis(request.created_at.to_millis());
    let expires = Duration::from_millis(request.expires_at.to_millis());
    // An invoice counts in seconds.
    let created = Duration::from_secs(created.as_secs());
    let mut builder = InvoiceBuilder::new(currency)
        .description(request.description.clone())
        .payment_hash(hash)
        .payment_secret(LdkSecret(*request.payment_addr.as_bytes()))
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
            features
                .set_required_feature_bit(AMP_REQUIRED.into())
                .expect("30 is among the 256 bits of BOLT 9");
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
mod tests {
    use super::*;
    use bitcoin::secp256k1::{PublicKey, Secp256k1};
    use lightning::bolt11_invoice::SignedRawBolt11Invoice;
    use lightning::sign::KeysManager;
    use lightning::types::features::Bolt11InvoiceFeatures;
    use sponte_proto::amp::is_amp_invoice;
    use sponte_proto::{Features, Msat, PaymentSecret, Timestamp};
    use std::str::FromStr as _;

    fn request(amount: Option<u64>, description: &str) -> AmpInvoiceRequest {
        AmpInvoiceRequest {
            payment_addr: PaymentSecret::from_bytes([7; 32]),
            amount: amount.map(|msat| Msat::new(msat).expect("in supply")),
            description: description.into(),
            created_at: Timestamp::from_millis(1_700_000_000_500),
            expires_at: Timestamp::from_millis(1_700_086_400_500),
        }
    }

    fn signed(request: &AmpInvoiceRequest) -> String {
        let signer = KeysManager::new(&[1; 32], 1, 1, true);
        let raw = raw(request, Currency::Regtest, LdkHash([5; 32]), vec![]).expect("a sound request");
        let signature = signer.sign_invoice(&raw, Recipient::Node);
        raw.sign(|_| signature).expect("it signs").to_string()
    }

    #[test]
    fn an_invoice_says_what_lnd_reads() {
        for amount in [None, Some(1_000_000), Some(1)] {
            let request = request(amount, "soup");
            let text = signed(&request);
            assert!(text.starts_with("lnbcrt"));
            let read = SignedRawBolt11Invoice::from_str(&text).expect("BOLT 11");
            let secp = Secp256k1::new();
            let secret = KeysManager::new(&[1; 32], 1, 1, true).get_node_secret_key();
            assert_eq!(
                read.recover_payee_pub_key().expect("signed").0,
                PublicKey::from_secret_key(&secp, &secret)
            );
            let raw = read.raw_invoice();
            let features = raw.features().map(Bolt11InvoiceFeatures::le_flags).expect("features");
            let big_endian: Vec<u8> = features.iter().rev().copied().collect();
            let features = Features::decode(&big_endian).expect("small");
            assert!(is_amp_invoice(&features));
            assert_eq!(features.iter().collect::<Vec<_>>(), [8, 14, 30]);
            assert_eq!(raw.payment_secret().expect("an address").0, [7; 32]);
            assert_eq!(raw.amount_pico_btc(), amount.map(|msat| msat * 10));
            assert_eq!(raw.expiry_time().map(|expiry| expiry.as_seconds()), Some(86_400));
            assert_eq!(raw.data.timestamp.as_unix_timestamp(), 1_700_000_000);
            assert_eq!(raw.min_final_cltv_expiry_delta().expect("a delta").0, FINAL_CLTV_DELTA);
            let description = raw.description().expect("there is one").to_string();
            assert_eq!(description, "soup");
        }
    }

    #[test]
    fn a_long_description_is_refused() {
        let error = raw(&request(None, &"x".repeat(640)), Currency::Regtest, LdkHash([5; 32]), vec![]);
        let refused = refusal(&error.expect_err("too long"));
        assert_eq!(refused.kind, RefusalKind::Invalid);
        assert!(refused.message.contains("639"), "{refused}");
    }
}
