//! Payments from the node, played: destinations are told apart by their bytes.

use super::backend::{channel, node_id};
use sponte_engine::backend::{
    BackendEvent, Destination, InvoiceRequest, NoRoutes, OfferInvoice, Payable, Quantities, ReadInvoice,
    ReadOffer, Refusal, RefusalKind, Route, RouteHop, RouteRequest, Routes, Send, SendFailed,
};
use sponte_engine::commit::PartFailure;
use sponte_proto::amp::{Shard, reconstruct};
use sponte_proto::failure::FailureCode;
use sponte_proto::{CltvExpiryDelta, Msat, NodeId, PaymentSecret, Preimage, ShortChannelId, Timestamp};
use std::sync::atomic::{AtomicU8, Ordering};

/// A destination that takes nothing.
pub const REFUSING: u8 = 0x11;
/// A destination that nobody knows, and that only a hint leads to.
pub const UNKNOWN: u8 = 0x22;
/// A destination that answers when the test says so.
pub const SILENT: u8 = 0x33;
/// A destination that two paths reach together, and that answers as [`SILENT`] does.
pub const PARTED: u8 = 0x44;
/// A destination whose cheapest route costs 99 sat.
pub const DEAR: u8 = 0x45;
/// A destination for which no balance is enough.
pub const RICH: u8 = 0x46;
/// A destination so far that no record fits into the onion.
pub const FAR: u8 = 0x47;
/// A destination behind a peer that is not connected.
pub const LONELY: u8 = 0x48;
/// A destination that is known, and that no route reaches.
pub const CUT_OFF: u8 = 0x49;
/// The node before every destination of two hops or more.
pub const HUB: u8 = 0x66;

/// What pays the invoices here that have a hash.
pub fn proof() -> Preimage {
    Preimage::from_bytes([0x77; 32])
}

/// An answer to a request for routes: of one hop to a friend, over the hub to everybody else.
pub fn routes(request: &RouteRequest) -> Routes {
    let no = |why| Err(why);
    let found = match request.destination.to_bytes()[1] {
        CUT_OFF => no(NoRoutes::NoRoute),
        UNKNOWN if request.hints.is_empty() => no(NoRoutes::NoRoute),
        DEAR => no(NoRoutes::FeeLimitTooLow { cheapest: Msat::from_sat(99).expect("small") }),
        RICH => no(NoRoutes::InsufficientBalance { spendable: Msat::from_sat(1).expect("small") }),
        FAR => no(NoRoutes::RecordsTooLarge),
        LONELY => no(NoRoutes::PeersOffline),
        PARTED if request.max_parts < 2 => no(NoRoutes::NoRoute),
        PARTED => {
            let half = Msat::new(request.amount.to_msat() / 2).expect("less than all");
            let rest = request.amount.saturating_sub(half);
            Ok(vec![over_hub(request, half), over_hub(request, rest)])
        }
        3 => Ok(vec![Route { channel: channel(), hops: vec![last(request, request.amount)], tail: None }]),
        _ => Ok(vec![over_hub(request, request.amount)]),
    };
    let known = request.destination.to_bytes()[1] != UNKNOWN;
    let destination = Destination { known, keysend: true, amp: true, mpp: true };
    Routes { query: request.query, found, destination }
}

fn over_hub(request: &RouteRequest, amount: Msat) -> Route {
    let hub = RouteHop {
        node: node_id(HUB),
        channel: ShortChannelId::new(1 << 40),
        keeps: Msat::new(1_000).expect("small"),
        cltv_delta: 40,
        announced: true,
    };
    Route { channel: channel(), hops: vec![hub, last(request, amount)], tail: None }
}

fn last(request: &RouteRequest, amount: Msat) -> RouteHop {
    RouteHop {
        node: request.destination,
        channel: ShortChannelId::new(2 << 40),
        keeps: amount,
        cltv_delta: request.final_cltv.to_u16().into(),
        announced: true,
    }
}

/// Whether it waits for the test.
pub fn waits(send: &Send) -> bool {
    matches!(destination(send).to_bytes()[1], SILENT | PARTED)
}

fn destination(send: &Send) -> NodeId {
    send.route.hops.last().expect("at least one").node
}

/// How it ends.
pub fn ended(send: &Send) -> BackendEvent {
    if destination(send).to_bytes()[1] != REFUSING {
        return BackendEvent::PartSent { part: send.part, preimage: preimage(send) };
    }
    let why = PartFailure {
        hop: u32::try_from(send.route.hops.len()).ok(),
        code: Some(FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS),
        channel: None,
    };
    BackendEvent::PartFailed(SendFailed { part: send.part, why })
}

/// What the destination finds out: of AMP only if one part is all.
fn preimage(send: &Send) -> Preimage {
    if let Some(preimage) = &send.payload.keysend {
        return preimage.clone();
    }
    if send.payload.total.is_some() {
        let mut given = (0..=u8::MAX).map(|number| Preimage::from_bytes([number; 32]));
        return given.find(|preimage| preimage.payment_hash() == send.hash).expect("given by an issuer");
    }
    let Some(amp) = &send.payload.amp else { return proof() };
    let shard = Shard {
        share: amp.root_share.clone(),
        child_index: amp.child_index,
        amount: send.route.amount(),
        payment_hash: send.hash,
    };
    reconstruct(&[shard], send.route.amount()).expect("the whole set").remove(0)
}

/// `once`, `amp`, `any` (without an amount) or `old`, each with the destination's byte in hex behind
/// a dash.
pub fn read_payable(text: &str) -> Result<Payable, Refusal> {
    let (what, byte) = text
        .split_once('-')
        .and_then(|(what, byte)| Some((what, u8::from_str_radix(byte, 16).ok()?)))
        .ok_or_else(|| Refusal::new(RefusalKind::Invalid, "this is no invoice: copy all of it"))?;
    if let Some(what) = what.strip_prefix("lno") {
        return Ok(Payable::Offer(Box::new(offer(text, what, byte))));
    }
    let expires_at = if what == "old" { 1 } else { u64::MAX };
    Ok(Payable::Invoice(Box::new(ReadInvoice {
        text: text.into(),
        destination: node_id(byte),
        amount: Msat::from_sat(60).filter(|_| what != "any"),
        hash: (what != "amp").then(|| proof().payment_hash()),
        payment_addr: PaymentSecret::from_bytes([5; 32]),
        metadata: None,
        min_final_cltv: CltvExpiryDelta::new(80),
        hints: vec![],
        in_parts: true,
        created_at: Timestamp::from_millis(0),
        expires_at: Timestamp::from_millis(expires_at),
        description: "a\u{7}soup".into(),
    })))
}

/// `lno`, `lnoany` (without an amount), `lnomany` (in numbers up to 3), `lnoold`, `lnosilent` or
/// `lnorude`, each with the issuer's byte in hex behind a dash.
fn offer(text: &str, what: &str, byte: u8) -> ReadOffer {
    ReadOffer {
        text: text.into(),
        issuer: node_id(byte),
        amount: Msat::from_sat(60).filter(|_| what != "any"),
        quantities: if what == "many" { Quantities::UpTo(3) } else { Quantities::One },
        expires_at: (what == "old").then(|| Timestamp::from_millis(1)),
        description: "a\u{7}soup".into(),
    }
}

/// Each invoice has a hash of its own.
pub fn fetch_invoice(request: &InvoiceRequest) -> Result<Box<OfferInvoice>, Refusal> {
    static GIVEN: AtomicU8 = AtomicU8::new(1);
    let refuse = |kind, said: &str| Err(Refusal::new(kind, said));
    match request.offer.split_once('-').map(|(what, _)| what) {
        Some("lnosilent") => return refuse(RefusalKind::Unavailable, "it did not answer: try again later"),
        Some("lnorude") => return refuse(RefusalKind::Conflict, "it gives no invoice: ask it why"),
        _ => {}
    }
    Ok(Box::new(OfferInvoice {
        invoice: vec![1],
        hash: Preimage::from_bytes([GIVEN.fetch_add(1, Ordering::Relaxed); 32]).payment_hash(),
        expires_at: Timestamp::from_millis(u64::MAX),
        in_parts: true,
    }))
}
