//! Rows of the ledger and answers of the backend as types of the API.

use sponte_api as api;
use sponte_engine::backend::{
    Channel, ChannelState, NodeInfo, Payable, Peer, Quantities, ReadInvoice, ReadOffer, Route, WalletBalance,
};
use sponte_engine::commit::{AttemptRow, Direction, Failure, Kind, PartRow, PaymentRow, State};
use sponte_node::{Quoted, Verdict};
use sponte_proto::{BlockHeight, CltvExpiry, Msat, hex};
use sponte_store::{AccountBalance, StoredEvent};

/// A payment. Its preimage is a secret until it is settled.
pub(crate) fn payment(row: &PaymentRow) -> api::Payment {
    let outgoing = row.direction == Direction::Out;
    let offered = row.plan.invoice.as_ref().and_then(|invoice| invoice.offered.as_ref());
    let preimage = row.preimage.as_ref().filter(|_| row.state == State::Settled);
    api::Payment {
        id: row.id,
        direction: direction(row.direction),
        kind: kind(row.kind),
        state: state(row.state),
        key: row.key.clone(),
        destination: row.destination,
        amount_msat: row.amount,
        fee_msat: row.fee,
        max_fee_msat: outgoing.then_some(row.max_fee),
        hash: row.hash,
        preimage_hex: preimage.map(|preimage| hex(&preimage.to_bytes())),
        records: api::Record::all(&row.records),
        failure: row.failure.as_ref().map(failure),
        asked_kind: row.plan.asked.map(kind),
        reason: Some(row.plan.reason.clone()).filter(|reason| !reason.is_empty()),
        invoice: row.plan.invoice.as_ref().map(|invoice| invoice.text.clone()),
        quantity: offered.and_then(|offered| offered.quantity),
        note: offered.and_then(|offered| offered.note.clone()),
        attempt_count: row.attempts,
        tries: outgoing.then_some(row.plan.tries),
        max_attempts: outgoing.then_some(row.max_attempts),
        max_parts: outgoing.then_some(row.plan.max_parts),
        canceled: outgoing.then_some(row.plan.canceled),
        deadline_ms: (outgoing || row.state == State::Held).then_some(row.deadline),
        deadline_height: row.receipt.deadline_height.map(BlockHeight::to_u32),
        sender: row.receipt.sender,
        payment_addr: row.receipt.payment_addr.as_ref().map(|addr| hex(addr.as_bytes())),
        set_id: row.receipt.set_id.map(|set_id| hex(&set_id.to_bytes())),
        created_at_ms: row.created_at,
        updated_at_ms: row.updated_at,
    }
}

/// A payment with its attempts and parts.
pub(crate) fn payment_detail(
    row: &PaymentRow,
    attempts: &[AttemptRow],
    parts: &[PartRow],
) -> api::PaymentDetail {
    let parts_of = |number: u32| parts.iter().filter(move |part| part.attempt == number).map(part).collect();
    let incoming = row.direction == Direction::In;
    api::PaymentDetail {
        payment: payment(row),
        attempts: attempts.iter().map(|row| attempt(row, parts_of(row.number))).collect(),
        parts: if incoming { parts.iter().map(part).collect() } else { vec![] },
    }
}

fn attempt(row: &AttemptRow, parts: Vec<api::Part>) -> api::Attempt {
    api::Attempt {
        number: row.number,
        kind: kind(row.kind),
        state: state(row.state),
        hash: row.hash,
        set_id: row.set_id.map(|set_id| hex(&set_id.to_bytes())),
        fee_msat: row.fee,
        failure: row.failure.as_ref().map(failure),
        created_at_ms: row.created_at,
        updated_at_ms: row.updated_at,
        parts,
    }
}

/// A part. Its preimage is a secret until it is settled.
fn part(row: &PartRow) -> api::Part {
    let preimage = row.claim.preimage.as_ref().filter(|_| row.state == State::Settled);
    let failed = row.sent.failure.as_ref();
    api::Part {
        number: row.number,
        id: row.claim.id,
        channel: row.channel,
        amount_msat: row.amount,
        fee_msat: row.fee,
        state: state(row.state),
        route: row.route.clone(),
        hash: row.claim.hash,
        preimage_hex: preimage.map(|preimage| hex(&preimage.to_bytes())),
        failure: failed.map(|why| api::PartFailure::new(why.hop, why.code, why.channel, &row.route)),
        expiry: row.claim.expiry.map(CltvExpiry::to_u32),
    }
}

fn failure(failure: &Failure) -> api::Failure {
    api::Failure { code: failure.code.clone(), message: failure.message.clone() }
}

fn direction(direction: Direction) -> api::Direction {
    match direction {
        Direction::In => api::Direction::In,
        Direction::Out => api::Direction::Out,
    }
}

/// The way back.
pub(crate) fn to_direction(direction: api::Direction) -> Direction {
    match direction {
        api::Direction::In => Direction::In,
        api::Direction::Out => Direction::Out,
    }
}

fn state(state: State) -> api::State {
    match state {
        State::Pending => api::State::Pending,
        State::Held => api::State::Held,
        State::Settled => api::State::Settled,
        State::Failed => api::State::Failed,
        State::Canceled => api::State::Canceled,
    }
}

/// The way back.
pub(crate) fn to_state(state: api::State) -> State {
    match state {
        api::State::Pending => State::Pending,
        api::State::Held => State::Held,
        api::State::Settled => State::Settled,
        api::State::Failed => State::Failed,
        api::State::Canceled => State::Canceled,
    }
}

fn kind(kind: Kind) -> api::Kind {
    match kind {
        Kind::Keysend => api::Kind::Keysend,
        Kind::MppKeysend => api::Kind::MppKeysend,
        Kind::Amp => api::Kind::Amp,
        Kind::AmpInvoice => api::Kind::AmpInvoice,
        Kind::Ecdh => api::Kind::Ecdh,
        Kind::Bolt11 => api::Kind::Bolt11,
        Kind::Bolt12 => api::Kind::Bolt12,
    }
}

/// How a payment could be made now.
pub(crate) fn quote(quoted: &Quoted, amount: Msat, max_fee: Msat) -> api::Quote {
    let fees = quoted.routes.iter().map(Route::fee);
    let fee = fees.into_iter().try_fold(Msat::ZERO, Msat::checked_add);
    api::Quote {
        kind: kind(quoted.kind),
        reason: quoted.reason.clone(),
        amount_msat: amount,
        fee_msat: fee.unwrap_or(Msat::MAX),
        max_fee_msat: max_fee,
        routes: quoted.routes.iter().map(quoted_route).collect(),
    }
}

fn quoted_route(route: &Route) -> api::QuotedRoute {
    let last = route.hops.len().saturating_sub(1);
    let hops = route.hops.iter().enumerate().map(|(number, hop)| api::QuotedHop {
        node: hop.node,
        short_channel_id: hop.channel,
        fee_msat: if number == last && route.tail.is_none() { Msat::ZERO } else { hop.keeps },
        cltv_delta: hop.cltv_delta,
    });
    api::QuotedRoute {
        channel: route.channel,
        amount_msat: route.amount(),
        fee_msat: route.fee(),
        hops: hops.collect(),
        hidden: route.tail.is_some(),
    }
}

/// What an invoice or an offer says.
pub(crate) fn payable(payable: Payable) -> api::Invoice {
    match payable {
        Payable::Invoice(read) => invoice(*read),
        Payable::Offer(read) => offer(*read),
    }
}

fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn offer(offer: ReadOffer) -> api::Invoice {
    api::Invoice {
        kind: api::Kind::Bolt12,
        destination: offer.issuer,
        amount_msat: offer.amount,
        hash: None,
        key: None,
        description: harmless(&offer.description),
        in_parts: true,
        asks_quantity: offer.quantities != Quantities::One,
        min_final_cltv: None,
        created_at_ms: None,
        expires_at_ms: offer.expires_at,
    }
}

fn invoice(invoice: ReadInvoice) -> api::Invoice {
    api::Invoice {
        kind: if invoice.hash.is_some() { api::Kind::Bolt11 } else { api::Kind::AmpInvoice },
        destination: invoice.destination,
        amount_msat: invoice.amount,
        hash: invoice.hash,
        key: invoice.key(),
        description: harmless(&invoice.description),
        in_parts: invoice.in_parts,
        asks_quantity: false,
        min_final_cltv: Some(invoice.min_final_cltv.to_u16()),
        created_at_ms: Some(invoice.created_at),
        expires_at_ms: Some(invoice.expires_at),
    }
}

/// The wallet's coins.
pub(crate) fn balance(balance: WalletBalance) -> api::WalletBalance {
    api::WalletBalance {
        confirmed_sat: balance.confirmed,
        unconfirmed_sat: balance.unconfirmed,
        immature_sat: balance.immature,
        reserve_sat: balance.reserve,
        spendable_sat: balance.spendable,
    }
}

/// The node as it stands.
pub(crate) fn info(info: NodeInfo, warnings: Vec<api::Warning>) -> api::Info {
    api::Info {
        id: info.id,
        alias: info.alias,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        network: info.network,
        height: info.height.to_u32(),
        block_hash: info.block_hash,
        tip_age_seconds: info.tip_age_seconds,
        chain_silent_seconds: info.chain_silent_seconds,
        chain_error: info.chain_error,
        listening: info.listening,
        peers: info.peers,
        channels_usable: info.channels_usable,
        channels: info.channels,
        sendable_msat: info.sendable,
        sendable_in_one_part_msat: info.sendable_in_one_part,
        receivable_msat: info.receivable,
        wallet: balance(info.balance),
        graph_nodes: info.graph_nodes,
        graph_channels: info.graph_channels,
        warnings,
    }
}

/// A channel as it stands.
pub(crate) fn channel(channel: Channel) -> api::Channel {
    let state = match channel.state {
        ChannelState::Pending => api::ChannelState::Pending,
        ChannelState::Usable => api::ChannelState::Usable,
        ChannelState::Offline => api::ChannelState::Offline,
        ChannelState::ShuttingDown => api::ChannelState::ShuttingDown,
        ChannelState::Closing => api::ChannelState::Closing,
        ChannelState::Closed => api::ChannelState::Closed,
    };
    api::Channel {
        id: channel.id,
        peer: channel.peer,
        state,
        short_channel_id: channel.short_channel_id.map(api::short_channel_id),
        funding_txid: channel.funding.map(|(txid, _)| txid),
        funding_output: channel.funding.map(|(_, output)| output),
        value_sat: channel.value,
        balance_msat: channel.balance,
        sendable_msat: channel.sendable,
        receivable_msat: channel.receivable,
        htlcs: channel.htlcs,
        announced: channel.announced,
        outbound: channel.outbound,
        confirmations: channel.confirmations.map(|(have, _)| have),
        confirmations_needed: channel.confirmations.map(|(_, needed)| needed),
        waiting_for: channel.waiting_for,
        closing_txids: channel.closing_txids,
        to_come_sat: channel.to_come,
    }
}

/// A peer as it stands.
pub(crate) fn peer(peer: Peer) -> api::Peer {
    api::Peer {
        id: peer.id,
        address: peer.address,
        connected: peer.connected,
        outbound: peer.outbound,
        channels: peer.channels,
    }
}

/// An event of the log.
pub(crate) fn event(event: StoredEvent) -> api::Event {
    api::Event {
        seq: event.seq,
        kind: event.kind,
        payment: event.payment,
        channel: event.channel,
        amount_msat: event.amount,
        detail: event.detail,
        created_at_ms: event.created_at,
    }
}

/// What an audit found.
pub(crate) fn audit(report: sponte_node::Report, accounts: &[AccountBalance]) -> api::AuditReport {
    let lines = report.lines.into_iter().map(|line| api::AuditLine {
        verdict: match line.verdict {
            Verdict::Agrees => api::Verdict::Agrees,
            Verdict::Differs => api::Verdict::Differs,
            Verdict::NotNow => api::Verdict::NotNow,
        },
        text: line.text,
    });
    let accounts = accounts.iter().map(|row| api::AccountBalance {
        account: row.account.name(),
        posted_msat: row.posted_msat,
        pending_in_msat: row.pending_in_msat,
        pending_out_msat: row.pending_out_msat,
    });
    api::AuditReport { clean: report.ok, lines: lines.collect(), accounts: accounts.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sponte_engine::commit::{PartClaim, PartFailure, PartSent, Plan, Receipt};
    use sponte_proto::failure::FailureCode;
    use sponte_proto::{ChannelId, NodeId, PaymentId, Preimage, Records, Timestamp};

    /// Of a payment that arrives the preimage is known from the start; whoever sees it can claim.
    #[test]
    fn a_preimage_is_a_secret_until_it_is_released() {
        let preimage = Preimage::from_bytes([7; 32]);
        let mut row = PaymentRow {
            id: PaymentId::from_bytes([1; 32]),
            direction: Direction::In,
            kind: Kind::Keysend,
            state: State::Pending,
            key: None,
            destination: None,
            amount: Msat::ZERO,
            fee: Msat::ZERO,
            max_fee: Msat::ZERO,
            hash: Some(preimage.payment_hash()),
            preimage: Some(preimage),
            records: Records::new(),
            failure: None,
            deadline: Timestamp::default(),
            attempts: 0,
            max_attempts: 0,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            receipt: Receipt::default(),
            plan: Plan::default(),
        };
        assert_eq!(payment(&row).preimage_hex, None);
        row.state = State::Failed;
        assert_eq!(payment(&row).preimage_hex, None);
        row.state = State::Settled;
        assert_eq!(payment(&row).preimage_hex, Some("07".repeat(32)));
    }

    fn sent_part(state: State) -> PartRow {
        let node = |byte: u8| NodeId::from_bytes([byte; 33]).expect("2 or 3");
        let preimage = Preimage::from_bytes([7; 32]);
        let failure = PartFailure { hop: Some(1), code: Some(FailureCode::MPP_TIMEOUT), channel: None };
        PartRow {
            payment: PaymentId::from_bytes([1; 32]),
            attempt: 0,
            number: 0,
            channel: ChannelId::from_bytes([8; 32]),
            amount: Msat::ZERO,
            fee: Msat::ZERO,
            state,
            route: vec![node(3), node(2)],
            claim: PartClaim {
                id: Some(PaymentId::from_bytes([9; 32])),
                hash: Some(preimage.payment_hash()),
                preimage: Some(preimage),
                expiry: None,
            },
            sent: PartSent { share: None, failure: Some(failure) },
        }
    }

    #[test]
    fn a_part_tells_its_proof_and_its_failure() {
        assert_eq!(part(&sent_part(State::Pending)).preimage_hex, None);
        let told = part(&sent_part(State::Settled));
        assert_eq!(told.preimage_hex, Some("07".repeat(32)));
        let failure = told.failure.expect("decoded");
        assert_eq!((failure.hop, failure.node), (Some(1), Some(told.route[0])));
        assert_eq!(failure.name.as_deref(), Some("mpp_timeout"));
    }
}
