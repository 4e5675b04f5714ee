//! What the sender reads when something comes back.

use super::attribution::HOPS as ATTRIBUTABLE_HOPS;
use super::{AttributionData, Failure, FailurePacket, FulfillmentPayload, HoldTime};
use crate::onion::{KeyType, SharedSecret, hmac};
use alloc::vec;
use alloc::vec::Vec;
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

/// The work of decoding is that of a route of so many hops, the longest there is (BOLT 4,
/// "Returning Errors"), so that the time it takes does not tell who failed.
const LONGEST_ROUTE: usize = 27;
const HMAC: usize = 32;

/// A failure, and who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedFailure {
    /// The position of the hop that failed; the first one is 0.
    pub hop: usize,
    /// What it says.
    pub failure: Failure,
    /// What stood behind the failure's data: a TLV stream, if anything.
    pub extra: Vec<u8>,
}

/// Why a failure says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UndecodableFailure {
    /// No hop of the route wrote it: one of them altered it. Attribution data tells which.
    #[error("no hop of the route authenticates the failure")]
    Unauthenticated,
    /// This hop wrote it, and it is no failure.
    #[error("hop {hop} sent a failure that cannot be read")]
    Malformed {
        /// The position of the hop; the first one is 0.
        hop: usize,
    },
}

/// What came back with `update_fail_htlc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureReport {
    /// The failure, if there is one.
    pub failure: Result<DecodedFailure, UndecodableFailure>,
    /// The hold times of the first hops, as far as they are authenticated.
    pub hold_times: Vec<HoldTime>,
    /// The first hop whose attribution data does not match although it should: it or the hop
    /// before it is to blame. `None` also when no attribution data came, or the route has more
    /// than 20 hops, which attribution data has no room for.
    pub unattributed: Option<usize>,
}

/// What came back with `update_fulfill_htlc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FulfillmentReport {
    /// The hold times of the first hops, as far as they are authenticated.
    pub hold_times: Vec<HoldTime>,
    /// The first hop whose attribution data does not match.
    pub unattributed: Option<usize>,
}

/// Decodes a failure with the secrets of all hops of the route, the first hop's first. (Through
/// trampoline nodes: the outer secrets, then the inner ones.) The work does not depend on which
/// hop failed.
pub fn decode_failure(
    secrets: &[SharedSecret],
    packet: &FailurePacket,
    attribution: Option<&AttributionData>,
) -> FailureReport {
    let failure = unwrap(secrets, packet)
        .and_then(|(hop, plain)| read_plain(hop, &plain).ok_or(UndecodableFailure::Malformed { hop }));
    let reporting = match &failure {
        Ok(DecodedFailure { hop, .. }) | Err(UndecodableFailure::Malformed { hop }) => hop + 1,
        Err(UndecodableFailure::Unauthenticated) => secrets.len(),
    };
    let mut packet = packet.clone();
    let (hold_times, unattributed) = verify(secrets, reporting, attribution, |secret, _| {
        packet.wrap(secret);
        packet.as_bytes().to_vec()
    });
    FailureReport { failure, hold_times, unattributed }
}

/// Reads the hold times of a success with the secrets of all hops of the route. The payload, if
/// one came, is [opened](FulfillmentPayload::open) by itself.
pub fn decode_fulfillment(
    secrets: &[SharedSecret],
    payload: Option<&FulfillmentPayload>,
    attribution: Option<&AttributionData>,
) -> FulfillmentReport {
    let mut payload = payload.cloned();
    let last = secrets.len().saturating_sub(1);
    let (hold_times, unattributed) = verify(secrets, secrets.len(), attribution, |secret, hop| {
        match &mut payload {
            Some(payload) if hop < last => {
                payload.wrap(secret);
                payload.as_bytes().to_vec()
            }
            // The final hop's payload has a tag of its own.
            _ => vec![],
        }
    });
    FulfillmentReport { hold_times, unattributed }
}

/// The hop whose HMAC matches, and what it wrote behind its HMAC.
fn unwrap(secrets: &[SharedSecret], packet: &FailurePacket) -> Result<(usize, Vec<u8>), UndecodableFailure> {
    let length = packet.as_bytes().len();
    if length < HMAC {
        return Err(UndecodableFailure::Unauthenticated);
    }
    let nobody = SharedSecret::from_bytes([0; 32]);
    let mut packet = packet.clone();
    let mut found = Choice::from(0);
    let mut found_hop = 0u64;
    let mut plain = vec![0; length - HMAC];
    for hop in 0..secrets.len().max(LONGEST_ROUTE) {
        let secret = secrets.get(hop).unwrap_or(&nobody);
        packet.wrap(secret);
        let (tag, rest) = packet.as_bytes().split_at(HMAC);
        let expected = hmac(secret.derive(KeyType::Um).as_bytes(), &[rest]);
        let of_the_route = Choice::from(u8::from(hop < secrets.len()));
        let first = expected[..].ct_eq(tag) & of_the_route & !found;
        found_hop.conditional_assign(&(hop as u64), first);
        for (to, from) in plain.iter_mut().zip(rest) {
            to.conditional_assign(from, first);
        }
        found |= first;
    }
    if found.into() { Ok((found_hop as usize, plain)) } else { Err(UndecodableFailure::Unauthenticated) }
}

/// `failure_len(u16) ‖ failuremsg ‖ pad_len(u16) ‖ pad`; the padding is not looked at.
fn read_plain(hop: usize, plain: &[u8]) -> Option<DecodedFailure> {
    let (length, rest) = plain.split_first_chunk()?;
    let message = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
    let (failure, extra) = Failure::decode(message).ok()?;
    Some(DecodedFailure { hop, failure, extra: extra.to_vec() })
}

/// Walks the first `reporting` hops; `covered` gives what each of them authenticated.
fn verify(
    secrets: &[SharedSecret],
    reporting: usize,
    attribution: Option<&AttributionData>,
    mut covered: impl FnMut(&SharedSecret, usize) -> Vec<u8>,
) -> (Vec<HoldTime>, Option<usize>) {
    let mut hold_times = vec![];
    let Some(mut data) = attribution.cloned() else { return (hold_times, None) };
    if secrets.len() > ATTRIBUTABLE_HOPS {
        return (hold_times, None);
    }
    for (hop, secret) in secrets.iter().take(reporting).enumerate() {
        data.apply_key(secret);
        if !data.verify(secret, &covered(secret, hop), secrets.len() - 1 - hop) {
            return (hold_times, Some(hop));
        }
        hold_times.push(data.hold_time());
        data = data.shift_to_front();
    }
    (hold_times, None)
}
