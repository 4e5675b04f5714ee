//! Rows of the ledger and answers of the backend as types of the API.

use sponte_api as api;
use sponte_engine::backend::{Channel, ChannelState, NodeInfo, Peer, WalletBalance};
use sponte_engine::commit::{AttemptRow, Direction, Failure, Kind, PartRow, PaymentRow, State};
use sponte_node::Verdict;
use sponte_proto::{BlockHeight, CltvExpiry, hex};
use sponte_store::{AccountBalance, StoredEvent};

/// A payment. Its preimage is a secret until it is settled.
pub(crate) fn payment(row: &PaymentRow) -> api::Payment {
    let outgoing = row.direction == Direction::Out;
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
        attempt_count: row.attempts,
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
        state: state(row.state),
        hash: row.hash,
        fee_msat: row.fee,
        failure: row.failure.as_ref().map(failure),
        created_at_ms: row.created_at,
        updated_at_ms: row.updated_at,
        parts,
    }
}

fn part(row: &PartRow) -> api::Part {
    api::Part {
        number: row.number,
        channel: row.channel,
        amount_msat: row.amount,
        fee_msat: row.fee,
        state: state(row.state),
        route: row.route.clone(),
        hash: row.claim.hash,
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
        sendable_in_one_payment_msat: info.sendable_in_one_part,
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
    use sponte_engine::commit::Receipt;
    use sponte_proto::{Msat, PaymentId, Preimage, Records, Timestamp};

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
        };
        assert_eq!(payment(&row).preimage_hex, None);
        row.state = State::Failed;
        assert_eq!(payment(&row).preimage_hex, None);
        row.state = State::Settled;
        assert_eq!(payment(&row).preimage_hex, Some("07".repeat(32)));
    }
}
