//! BOLT 11 invoices of others, read for the engine to pay. LDK's own type refuses AMP's, whose
//! required feature it does not know; so the fields are checked here.

use crate::Ldk;
use crate::convert::node_id;
use crate::offers::{is_offer, read_offer};
use bitcoin::Network;
use lightning::bolt11_invoice::{
    Bolt11ParseError, Currency, DEFAULT_EXPIRY_TIME, DEFAULT_MIN_FINAL_CLTV_EXPIRY_DELTA, RawBolt11Invoice,
    SignedRawBolt11Invoice, TaggedField,
};
use lightning::routing::router::{RouteHint as LdkHint, RouteHintHop};
use sponte_engine::backend::{Payable, ReadInvoice, Refusal, RefusalKind, RouteHint};
use sponte_proto::amp::{AMP_REQUIRED, is_amp_invoice};
use sponte_proto::mpp::{BASIC_MPP_REQUIRED, PAYMENT_SECRET_REQUIRED};
use sponte_proto::{
    CltvExpiryDelta, Features, Msat, NodeId, PaymentHash, PaymentSecret, ShortChannelId, Timestamp,
};

const VAR_ONION_REQUIRED: u16 = 8;
const PAYMENT_METADATA_REQUIRED: u16 = 48;
/// LND's blinded paths in invoices, which no BOLT has (lnd, `lnwire/features.go`).
const BLINDED_REQUIRED: u16 = 262;
/// What an invoice may ask of a payer.
const UNDERSTOOD: [u16; 5] = [
    VAR_ONION_REQUIRED,
    PAYMENT_SECRET_REQUIRED,
    BASIC_MPP_REQUIRED,
    AMP_REQUIRED,
    PAYMENT_METADATA_REQUIRED,
];

impl Ldk {
    /// Reads an invoice or an offer that somebody gave.
    pub(crate) fn read_payable(&self, text: &str) -> Result<Payable, Refusal> {
        let network = self.config.network;
        match bare(text) {
            text if is_offer(text) => Ok(Payable::Offer(Box::new(read_offer(text, network)?.0))),
            text => Ok(Payable::Invoice(Box::new(read(text, network)?))),
        }
    }
}

pub(crate) fn refuse(message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Invalid, message)
}

fn read(text: &str, network: Network) -> Result<ReadInvoice, Refusal> {
    let text = bare(text);
    let signed = parse(text)?;
    let raw = signed.raw_invoice();
    require_chain(&raw.currency(), network)?;
    let features = features(raw)?;
    let destination = signer(&signed)?;
    let hash = only(raw, "payment hash", |field| match field {
        TaggedField::PaymentHash(hash) => Some(PaymentHash::from_bytes(hash.0)),
        _ => None,
    })?;
    let secret = only(raw, "payment secret", |field| match field {
        TaggedField::PaymentSecret(secret) => Some(PaymentSecret::from_bytes(secret.0)),
        _ => None,
    })?;
    let is_amp = is_amp_invoice(&features);
    let created_at = seconds(raw.data.timestamp.as_unix_timestamp());
    let expiry = raw.expiry_time().map_or(DEFAULT_EXPIRY_TIME, |expiry| expiry.as_seconds());
    Ok(ReadInvoice {
        // Bech32 has one case or the other, never both.
        text: text.to_ascii_lowercase(),
        destination,
        amount: amount(raw)?,
        hash: (!is_amp).then_some(hash),
        payment_addr: secret,
        metadata: raw.payment_metadata().cloned(),
        min_final_cltv: min_final_cltv(raw)?,
        hints: raw.private_routes().into_iter().filter_map(|route| hint(route)).collect(),
        in_parts: is_amp || features.supports(BASIC_MPP_REQUIRED),
        created_at,
        expires_at: created_at.plus_millis(expiry.saturating_mul(1_000)),
        description: raw.description().map(ToString::to_string).unwrap_or_default(),
    })
}

/// Without what a link or a QR code puts in front.
fn bare(text: &str) -> &str {
    const SCHEME: &str = "lightning:";
    let text = text.trim();
    match text.get(..SCHEME.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => text[SCHEME.len()..].trim_start_matches("//"),
        _ => text,
    }
}

fn parse(text: &str) -> Result<SignedRawBolt11Invoice, Refusal> {
    let starts = |prefix: &str| text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if starts("lni1") || starts("lnr1") {
        return Err(refuse(
            "this is an invoice or a request of BOLT 12 by itself: ask for the offer that it is about, `lno1...`",
        ));
    }
    text.parse().map_err(|error: Bolt11ParseError| {
        refuse(format!("this is no invoice ({error}): copy all of it, from `ln` to the end"))
    })
}

/// Testnets share a prefix, and cannot be told apart.
fn require_chain(currency: &Currency, network: Network) -> Result<(), Refusal> {
    if *currency == Currency::from(network) {
        return Ok(());
    }
    let theirs = match currency {
        Currency::Bitcoin => "mainnet",
        Currency::BitcoinTestnet => "a testnet",
        Currency::Regtest => "regtest",
        Currency::Simnet => "simnet",
        Currency::Signet => "signet",
    };
    let ours = if network == Network::Bitcoin { "mainnet".into() } else { network.to_string() };
    Err(refuse(format!("the invoice is of {theirs}, this node of {ours}: ask for one of {ours}")))
}

/// The features, none of which asks for what this node cannot do.
fn features(raw: &RawBolt11Invoice) -> Result<Features, Refusal> {
    let little_endian = raw.features().map(|features| features.le_flags().to_vec()).unwrap_or_default();
    let big_endian: Vec<u8> = little_endian.into_iter().rev().collect();
    let features = Features::decode(&big_endian)
        .ok_or_else(|| refuse("the invoice has more feature bits than there are: ask for another"))?;
    if features.supports(BLINDED_REQUIRED) {
        return Err(refuse(
            "the invoice hides its node behind blinded paths, which this node does not pay yet: ask for one \
             without them",
        ));
    }
    let foreign = features.iter().find(|bit| bit % 2 == 0 && !UNDERSTOOD.contains(bit));
    match foreign {
        Some(bit) => Err(refuse(format!(
            "the invoice asks for feature {bit}, which this node does not know: ask for one without it"
        ))),
        None => Ok(features),
    }
}

fn signer(signed: &SignedRawBolt11Invoice) -> Result<NodeId, Refusal> {
    let wrong = || refuse("the invoice's signature is wrong: copy it again, or ask for another");
    if !signed.check_signature() {
        return Err(wrong());
    }
    let named = signed.raw_invoice().payee_pub_key().cloned();
    let key = named.or_else(|| signed.recover_payee_pub_key().ok()).ok_or_else(wrong)?;
    Ok(node_id(&key.0))
}

/// A field that must stand there once.
fn only<T>(raw: &RawBolt11Invoice, name: &str, of: impl Fn(&TaggedField) -> Option<T>) -> Result<T, Refusal> {
    let mut found = raw.known_tagged_fields().filter_map(of);
    match (found.next(), found.next()) {
        (Some(value), None) => Ok(value),
        (None, _) => Err(refuse(format!("the invoice has no {name}: ask for one from newer software"))),
        (Some(_), Some(_)) => Err(refuse(format!("the invoice has more than one {name}: ask for another"))),
    }
}

fn amount(raw: &RawBolt11Invoice) -> Result<Option<Msat>, Refusal> {
    const PICO_PER_MSAT: u64 = 10;
    let wrong = || refuse("the invoice asks for no amount that there is: ask for another");
    if raw.hrp.raw_amount.is_none() {
        return Ok(None);
    }
    let pico_btc = raw.amount_pico_btc().ok_or_else(wrong)?;
    let whole = pico_btc.is_multiple_of(PICO_PER_MSAT).then_some(pico_btc / PICO_PER_MSAT);
    let amount = whole.and_then(Msat::new).filter(|amount| *amount != Msat::ZERO);
    amount.map(Some).ok_or_else(wrong)
}

fn min_final_cltv(raw: &RawBolt11Invoice) -> Result<CltvExpiryDelta, Refusal> {
    let asked = raw.min_final_cltv_expiry_delta();
    let blocks = asked.map_or(DEFAULT_MIN_FINAL_CLTV_EXPIRY_DELTA, |asked| asked.0);
    let delta = u16::try_from(blocks).ok().map(CltvExpiryDelta::new);
    delta.filter(|delta| *delta <= ReadInvoice::MAX_FINAL_CLTV).ok_or_else(|| {
        let most = ReadInvoice::MAX_FINAL_CLTV.to_u16();
        refuse(format!(
            "the invoice wants {blocks} blocks at its end, at most {most} can be given: ask for another"
        ))
    })
}

/// `None` if a fee is more than the supply: nobody would go there.
fn hint(route: &LdkHint) -> Option<Vec<RouteHint>> {
    let hop = |hop: &RouteHintHop| {
        Some(RouteHint {
            node: node_id(&hop.src_node_id),
            channel: ShortChannelId::new(hop.short_channel_id),
            fee_base: Msat::new(hop.fees.base_msat.into())?,
            fee_ppm: hop.fees.proportional_millionths,
            cltv_delta: CltvExpiryDelta::new(hop.cltv_expiry_delta),
        })
    };
    route.0.iter().map(hop).collect()
}

pub(crate) fn seconds(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1_000))
}

#[cfg(test)]
mod tests;
