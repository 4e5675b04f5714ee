//! An offer's text, read for the engine.

use crate::convert::{msat, node_id};
use crate::read_invoice::{refuse, seconds};
use bitcoin::Network;
use bitcoin::constants::ChainHash;
use lightning::offers::offer::{Amount, Offer, Quantity};
use lightning::offers::parse::Bolt12ParseError;
use sponte_engine::backend::{Quantities, ReadOffer, Refusal};
use sponte_proto::{Msat, NodeId};

/// No invoice's text is longer than what a message carries: a longer offer could not be asked about.
const MAX_TEXT: usize = 32_768;

/// Whether a text, without what a link puts in front, is meant to be an offer.
pub(crate) fn is_offer(text: &str) -> bool {
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("lno1"))
}

/// What the offer says, and LDK's own of it.
///
/// # Errors
/// Why nobody, or this node, could pay it.
pub(crate) fn read_offer(text: &str, network: Network) -> Result<(ReadOffer, Offer), Refusal> {
    if text.len() > MAX_TEXT {
        return Err(refuse("the offer is longer than any: copy it again"));
    }
    let offer: Offer = text.parse().map_err(|error: Bolt12ParseError| {
        refuse(format!("this is no offer ({error:?}): copy all of it, from `lno1` to the end"))
    })?;
    require_chain(&offer, network)?;
    if offer.offer_features().requires_unknown_bits() {
        let features = offer.offer_features();
        return Err(refuse(format!(
            "the offer asks for features which this node does not know ({features}): ask for one without them"
        )));
    }
    let read = ReadOffer {
        text: offer.to_string(),
        issuer: issuer(&offer)?,
        amount: amount(&offer)?,
        quantities: match offer.supported_quantity() {
            Quantity::One => Quantities::One,
            Quantity::Bounded(most) => Quantities::UpTo(most.get()),
            Quantity::Unbounded => Quantities::Any,
        },
        expires_at: offer.absolute_expiry().map(|expiry| seconds(expiry.as_secs())),
        description: offer.description().map(|text| text.to_string()).unwrap_or_default(),
    };
    Ok((read, offer))
}

fn require_chain(offer: &Offer, network: Network) -> Result<(), Refusal> {
    if offer.supports_chain(ChainHash::using_genesis_block(network)) {
        return Ok(());
    }
    let name = |network| if network == Network::Bitcoin { "mainnet".into() } else { format!("{network}") };
    let known = [Network::Bitcoin, Network::Testnet, Network::Testnet4, Network::Signet, Network::Regtest];
    let theirs = known.into_iter().find(|other| offer.supports_chain(ChainHash::using_genesis_block(*other)));
    let theirs = theirs.map_or_else(|| "another chain".into(), name);
    let ours = name(network);
    Err(refuse(format!("the offer is of {theirs}, this node of {ours}: ask for one of {ours}")))
}

/// Who signs its invoices: its key, or if it has none the end of the path over which it is asked.
fn issuer(offer: &Offer) -> Result<NodeId, Refusal> {
    let hidden = || offer.paths().first()?.blinded_hops().last().map(|hop| hop.blinded_node_id);
    let key = offer.issuer_signing_pubkey().or_else(hidden);
    key.map(|key| node_id(&key)).ok_or_else(|| refuse("the offer names no issuer: ask for another"))
}

fn amount(offer: &Offer) -> Result<Option<Msat>, Refusal> {
    match offer.amount() {
        None => Ok(None),
        Some(Amount::Bitcoin { amount_msats }) => match Msat::new(amount_msats) {
            Some(_) => Ok(Some(msat(amount_msats))),
            None => Err(refuse("the offer asks for more than there is: ask for another")),
        },
        Some(Amount::Currency { iso4217_code, .. }) => Err(refuse(format!(
            "the offer's amount is in {}, and this node knows no rates: ask for one in bitcoin",
            iso4217_code.as_str()
        ))),
    }
}

#[cfg(test)]
mod tests;
