//! Who held an HTLC how long, and who altered a failure (BOLT 4, "Attribution Data").
//!
//! `20 x u32 hold time ‖ 210 x 4-byte HMAC`. Position 0 is the hop that a reader is at, 19 the
//! farthest behind. Group `x` of the HMACs is of the hop at position `x`: 20 - x of them, one for
//! each distance `y` to the end of the route that it may have, the largest first.

use crate::onion::{KeyType, SharedSecret, apply_stream};
use bitcoin_hashes::{Hash as _, HashEngine as _, Hmac, HmacEngine, sha256};
use core::fmt;
use subtle::ConstantTimeEq as _;

/// Hops that have room.
pub(super) const HOPS: usize = 20;
const TIME: usize = 4;
const HMAC: usize = 4;
const TIMES: usize = HOPS * TIME;
/// The bytes of attribution data: 920.
pub const ATTRIBUTION_LEN: usize = TIMES + HOPS * (HOPS + 1) / 2 * HMAC;

/// How long a hop held an HTLC, in units of 100 milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldTime(u32);

impl HoldTime {
    /// So many times 100 milliseconds.
    pub const fn new(hundred_millis: u32) -> HoldTime {
        HoldTime(hundred_millis)
    }

    /// What is left of 100 milliseconds is dropped; at most 13 years are told.
    pub fn truncate_millis(millis: u64) -> HoldTime {
        HoldTime(u32::try_from(millis / 100).unwrap_or(u32::MAX))
    }

    /// Units of 100 milliseconds, for a border.
    pub const fn to_u32(self) -> u32 {
        self.0
    }

    /// The same in milliseconds.
    pub const fn to_millis(self) -> u64 {
        self.0 as u64 * 100
    }
}

/// Why bytes are no attribution data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributionError {
    /// Fewer than 920.
    #[error("attribution data has 920 bytes, not {0}")]
    TooShort(usize),
}

/// Attribution data on its way back, record 1 of `update_fail_htlc` and `update_fulfill_htlc`
/// (features 36 and 37). Every hop [reports](AttributionData::report) in it; the sender verifies
/// it with [`decode_failure`](super::decode_failure) or
/// [`decode_fulfillment`](super::decode_fulfillment). Not used within blinded paths.
#[derive(Clone, PartialEq, Eq)]
pub struct AttributionData([u8; ATTRIBUTION_LEN]);

impl AttributionData {
    /// Takes the bytes of the record; those beyond 920 are ignored.
    ///
    /// # Errors
    /// Fewer than 920 bytes.
    pub fn decode(bytes: &[u8]) -> Result<AttributionData, AttributionError> {
        let data = bytes.first_chunk().ok_or(AttributionError::TooShort(bytes.len()))?;
        Ok(AttributionData(*data))
    }

    /// The bytes on the wire.
    pub fn as_bytes(&self) -> &[u8; ATTRIBUTION_LEN] {
        &self.0
    }

    /// What a hop sends upstream. `downstream` is what it received with the failure or the
    /// fulfillment, `None` if there was nothing or the hop is the last one. `covered` is
    /// * at the hop that fails: its failure packet without its own [wrap](super::FailurePacket::wrap),
    /// * at a hop that passes something on: the packet or the fulfillment payload as received,
    /// * at the final hop of a success, or without a payload: nothing.
    pub fn report(
        downstream: Option<&AttributionData>,
        hold_time: HoldTime,
        secret: &SharedSecret,
        covered: &[u8],
    ) -> AttributionData {
        let mut data = AttributionData([0; ATTRIBUTION_LEN]);
        if let Some(downstream) = downstream {
            data.shift_behind(downstream);
        }
        data.0[..TIME].copy_from_slice(&hold_time.0.to_be_bytes());
        let engine = data.engine(secret, covered);
        for distance in 0..HOPS {
            let tag = data.own_hmac(engine.clone(), distance);
            let at = hmac_at(0, distance);
            data.0[at..at + HMAC].copy_from_slice(&tag);
        }
        data.apply_key(secret);
        data
    }

    /// The stream over the data: applied once by the hop, once more by the sender.
    pub(super) fn apply_key(&mut self, secret: &SharedSecret) {
        apply_stream(&secret.derive(KeyType::AmmagExt), 0, &mut self.0);
    }

    /// Whether the hop at position 0 wrote its HMAC for this distance to the end of the route.
    /// In constant time. What is farther than there is room for is never verified.
    pub(super) fn verify(&self, secret: &SharedSecret, covered: &[u8], distance: usize) -> bool {
        if distance >= HOPS {
            return false;
        }
        let tag = self.own_hmac(self.engine(secret, covered), distance);
        let at = hmac_at(0, distance);
        tag[..].ct_eq(&self.0[at..at + HMAC]).into()
    }

    /// The hold time of the hop at position 0.
    pub(super) fn hold_time(&self) -> HoldTime {
        HoldTime(u32::from_be_bytes(*self.0.first_chunk().expect("80 bytes of hold times")))
    }

    /// The data as the next hop behind wrote it: everything one position to the front.
    pub(super) fn shift_to_front(&self) -> AttributionData {
        let mut front = AttributionData([0; ATTRIBUTION_LEN]);
        front.0[..TIMES - TIME].copy_from_slice(&self.0[TIME..TIMES]);
        for position in 0..HOPS - 1 {
            // The largest distance was dropped on the way; it stays zero.
            let (from, to) = (group(position + 1), group(position));
            front.0[to.start + HMAC..to.end].copy_from_slice(&self.0[from]);
        }
        front
    }

    /// Everything one position behind; what no longer has room is dropped.
    fn shift_behind(&mut self, downstream: &AttributionData) {
        self.0[TIME..TIMES].copy_from_slice(&downstream.0[..TIMES - TIME]);
        for position in 0..HOPS - 1 {
            let (from, to) = (group(position), group(position + 1));
            self.0[to].copy_from_slice(&downstream.0[from.start + HMAC..from.end]);
        }
    }

    fn engine(&self, secret: &SharedSecret, covered: &[u8]) -> HmacEngine<sha256::Hash> {
        let mut engine = HmacEngine::new(secret.derive(KeyType::Um).as_bytes());
        engine.input(covered);
        engine
    }

    /// The hop's HMAC if it is so far from the end: over what is covered (which the engine has
    /// taken), the hold times up to there, and the HMACs of each hop behind for its own distance.
    fn own_hmac(&self, mut engine: HmacEngine<sha256::Hash>, distance: usize) -> [u8; HMAC] {
        engine.input(&self.0[..(distance + 1) * TIME]);
        for position in 1..=distance {
            let at = hmac_at(position, distance - position);
            engine.input(&self.0[at..at + HMAC]);
        }
        let tag = Hmac::from_engine(engine).to_byte_array();
        *tag.first_chunk().expect("32 bytes")
    }
}

/// Where the HMACs of a position stand.
fn group(position: usize) -> core::ops::Range<usize> {
    // 20 + 19 + .. HMACs stand before.
    let before = position * (2 * HOPS + 1 - position) / 2;
    let start = TIMES + before * HMAC;
    start..start + (HOPS - position) * HMAC
}

/// Where the HMAC of a position for a distance stands; distance + position < 20.
fn hmac_at(position: usize, distance: usize) -> usize {
    group(position).start + (HOPS - 1 - position - distance) * HMAC
}

impl fmt::Debug for AttributionData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttributionData(920 bytes)")
    }
}
