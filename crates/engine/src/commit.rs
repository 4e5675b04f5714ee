//! What the engine and a backend ask the memory to write: plain rows, and opaque bytes.
//!
//! A [`ChangeSet`] is rows with explicit encodings; no engine type is ever serialised as such.
//! A [`KvBatch`] is a backend's own business. One [`Transaction`] of both is one commit.

mod receive;
mod send;

pub use receive::{
    AmpInvoiceRow, AmpReceived, Counter, InvoiceState, PartClaim, Reason, Receipt, SettingRow, WaitingPart,
};

pub use send::{Offered, PaidInvoice, PartFailure, PartSent, Plan};

use sponte_proto::amp::SetId;
use sponte_proto::{ChannelId, Msat, NodeId, PaymentHash, PaymentId, Preimage, Records, Timestamp};

/// One commit: all of it is durable, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Rows of the ledger.
    pub changes: ChangeSet,
    /// The backend's own state.
    pub kv: KvBatch,
}

impl Transaction {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.kv.entries.is_empty()
    }
}

/// Opaque state of a backend: written in order, so of two writes to a key the later one stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvBatch {
    /// The writes.
    pub entries: Vec<KvEntry>,
}

/// One write or delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvEntry {
    /// Whose key it is, for example `ldk.monitor`.
    pub namespace: String,
    /// Unique within the namespace.
    pub key: String,
    /// The bytes, or `None` to delete.
    pub value: Option<Vec<u8>>,
}

impl KvBatch {
    /// Writes a key.
    pub fn put(&mut self, namespace: &str, key: impl Into<String>, value: Vec<u8>) {
        self.entries.push(KvEntry { namespace: namespace.into(), key: key.into(), value: Some(value) });
    }

    /// Deletes a key; nothing happens if it is not there.
    pub fn delete(&mut self, namespace: &str, key: impl Into<String>) {
        self.entries.push(KvEntry { namespace: namespace.into(), key: key.into(), value: None });
    }
}

/// Rows to write, each an insert or the new state of a row that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// Inserted, or replaced by [`PaymentRow::id`].
    pub payments: Vec<PaymentRow>,
    /// Inserted, or replaced by [`AttemptRow::id`].
    pub attempts: Vec<AttemptRow>,
    /// Inserted, or replaced by payment, attempt number and part number.
    pub parts: Vec<PartRow>,
    /// Inserted in order; a key that is there already is left as it is.
    pub transfers: Vec<TransferRow>,
    /// Pending transfers that end, after the inserts.
    pub settlements: Vec<Settlement>,
    /// Inserted in order, each under the next `seq`.
    pub events: Vec<EventRow>,
    /// Inserted, or replaced by [`WaitingPart::claim`].
    pub waiting: Vec<WaitingPart>,
    /// Waiting parts that are deleted, after the inserts.
    pub waited: Vec<PaymentId>,
    /// Inserted, or replaced by [`AmpInvoiceRow::payment_addr`]; what was received stays.
    pub amp_invoices: Vec<AmpInvoiceRow>,
    /// Added to what the invoices have received.
    pub amp_received: Vec<AmpReceived>,
    /// Added to what was counted before.
    pub counters: Vec<Counter>,
    /// Inserted or replaced by [`SettingRow::key`], or deleted.
    pub settings: Vec<SettingRow>,
}

impl ChangeSet {
    /// How many rows there are to write.
    pub fn rows(&self) -> usize {
        let ChangeSet { payments, attempts, parts, transfers, settlements, events, .. } = self;
        let ChangeSet { waiting, waited, amp_invoices, amp_received, counters, settings, .. } = self;
        let sent = payments.len() + attempts.len() + parts.len();
        let booked = transfers.len() + settlements.len() + events.len();
        let waits = waiting.len() + waited.len();
        let received = amp_invoices.len() + amp_received.len() + counters.len();
        sent + booked + waits + received + settings.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    /// Adds a later change set behind this one.
    pub fn extend(&mut self, later: ChangeSet) {
        self.payments.extend(later.payments);
        self.attempts.extend(later.attempts);
        self.parts.extend(later.parts);
        self.transfers.extend(later.transfers);
        self.settlements.extend(later.settlements);
        self.events.extend(later.events);
        self.waiting.extend(later.waiting);
        self.waited.extend(later.waited);
        self.amp_invoices.extend(later.amp_invoices);
        self.amp_received.extend(later.amp_received);
        self.counters.extend(later.counters);
        self.settings.extend(later.settings);
    }
}

/// Which way a payment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// To us.
    In,
    /// From us.
    Out,
}

/// Where a payment, an attempt or a part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Neither paid nor failed yet.
    Pending,
    /// To us, complete, and its claim or failure is still to be decided.
    Held,
    /// Irrevocably paid.
    Settled,
    /// Ended unpaid.
    Failed,
    /// Held, then failed by us.
    Canceled,
}

impl State {
    /// Whether nothing more happens to it.
    pub const fn has_ended(self) -> bool {
        matches!(self, State::Settled | State::Failed | State::Canceled)
    }
}

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $name {
            /// The word for it in the ledger and the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads the word back; `None` for any other.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
use words;

words!(Direction { In = "in", Out = "out" });
words!(State {
    Pending = "pending",
    Held = "held",
    Settled = "settled",
    Failed = "failed",
    Canceled = "canceled",
});
words!(Kind {
    Keysend = "keysend",
    MppKeysend = "mpp-keysend",
    Amp = "amp",
    AmpInvoice = "amp-invoice",
    Ecdh = "ecdh",
    Bolt11 = "bolt11",
    Bolt12 = "bolt12",
});

/// How a payment carries its preimage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// bLIP-3.
    Keysend,
    /// bLIP-3 in many parts.
    MppKeysend,
    /// Shards with a hash each, to an address that the sender chose.
    Amp,
    /// Shards with a hash each, to an invoice of the receiver.
    AmpInvoice,
    /// Derived from the secret that the sender shares with the receiver.
    Ecdh,
    /// Nothing spontaneous: an invoice of the receiver's, paid once.
    Bolt11,
    /// Nothing spontaneous: an invoice that the receiver gave for an offer of its own. The offer is paid any
    /// number of times, each time by another invoice.
    Bolt12,
}

/// A payment: the whole of what a caller asked for, or of what a sender gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRow {
    /// Of an outgoing payment derived from its key; of an incoming one from its HTLCs.
    pub id: PaymentId,
    /// Which way.
    pub direction: Direction,
    /// How.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// The caller's idempotency key, unique in the ledger; `None` for incoming ones.
    pub key: Option<String>,
    /// The destination of an outgoing payment.
    pub destination: Option<NodeId>,
    /// Without fees. What was received, which may exceed what the sender meant to send.
    pub amount: Msat,
    /// What the routes cost; zero for incoming ones.
    pub fee: Msat,
    /// The caller's limit on [`PaymentRow::fee`].
    pub max_fee: Msat,
    /// The current attempt's, or the received one. AMP has one in each part, and none here.
    pub hash: Option<PaymentHash>,
    /// Known once paid; of an incoming payment from the start. AMP has one in each part.
    pub preimage: Option<Preimage>,
    /// Custom records, without those that tell the kind.
    pub records: Records,
    /// Why it failed: a word of the taxonomy and a sentence for people.
    pub failure: Option<Failure>,
    /// No attempt starts after it; an incoming payment is held no longer.
    pub deadline: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// The caller's limit on [`Plan::tries`].
    pub max_attempts: u32,
    /// When it was asked for, or arrived.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
    /// What only incoming payments have.
    pub receipt: Receipt,
    /// What only outgoing payments have.
    pub plan: Plan,
}

/// Why a payment or an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A word of the taxonomy, for example `no_route`.
    pub code: String,
    /// One line that says what to do next.
    pub message: String,
}

impl Failure {
    /// The code of an attempt, or payment, whose kind the destination does not take.
    pub const REFUSED: &str = "recipient_refused";
}

/// One try to pay, with one hash, or one AMP set. It lives as long as any of its parts is pending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRow {
    /// Unique.
    pub id: PaymentId,
    /// Whose attempt.
    pub payment: PaymentId,
    /// Counts from 0.
    pub number: u32,
    /// How.
    pub kind: Kind,
    /// Its hash; AMP has one in each part, and none here.
    pub hash: Option<PaymentHash>,
    /// Names the set, if it is AMP.
    pub set_id: Option<SetId>,
    /// Where it stands.
    pub state: State,
    /// What the routes cost of its parts that have not failed.
    pub fee: Msat,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// When it started.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

/// One HTLC of a payment; of an incoming one before its claim, all HTLCs that are claimed by one
/// command, with the first one's channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRow {
    /// Whose part.
    pub payment: PaymentId,
    /// Of which attempt; 0 for incoming ones.
    pub attempt: u32,
    /// Counts from 0 within the attempt.
    pub number: u32,
    /// Our channel.
    pub channel: ChannelId,
    /// What the destination gets of it.
    pub amount: Msat,
    /// What its route costs.
    pub fee: Msat,
    /// Where it stands.
    pub state: State,
    /// The nodes that an outgoing part passes, the destination last, or the one at which its tail begins.
    pub route: Vec<NodeId>,
    /// What it is known by and locked to.
    pub claim: PartClaim,
    /// What only outgoing parts have.
    pub sent: PartSent,
}

/// An account of the books. The sum over all of them is zero at every commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// The wallet's coins, unconfirmed ones too.
    OnChain,
    /// Left the wallet in a funding transaction whose channel is not pending yet.
    Opening,
    /// Our balance in one channel; of a closed one, what has not come back yet.
    Channel(ChannelId),
    /// Sent, neither settled nor failed.
    InFlightOut,
    /// Claimed, not yet in a channel's balance.
    HeldIn,
    /// To us, and its claim is still to be decided.
    Held,
    /// Routing fees that our payments cost.
    FeesPaid,
    /// Routing fees that others' payments brought; a credit, so it falls.
    FeesEarned,
    /// Miners' fees of our own transactions.
    OnChainFees,
    /// What a closed channel did not give back: commitment fee, anchors, dust, fractions.
    CloseRounding,
    /// Everybody else.
    World,
}

impl Account {
    /// The account's name in the ledger: a word, for a channel with its id behind a slash.
    pub fn name(&self) -> String {
        match self {
            Account::OnChain => "on_chain".into(),
            Account::Opening => "opening".into(),
            Account::Channel(id) => format!("channel/{id}"),
            Account::InFlightOut => "in_flight_out".into(),
            Account::HeldIn => "held_in".into(),
            Account::Held => "held".into(),
            Account::FeesPaid => "fees_paid".into(),
            Account::FeesEarned => "fees_earned".into(),
            Account::OnChainFees => "on_chain_fees".into(),
            Account::CloseRounding => "close_rounding".into(),
            Account::World => "world".into(),
        }
    }

    /// Reads a name back; `None` for any other text.
    pub fn from_name(name: &str) -> Option<Account> {
        Some(match name {
            "on_chain" => Account::OnChain,
            "opening" => Account::Opening,
            "in_flight_out" => Account::InFlightOut,
            "held_in" => Account::HeldIn,
            "held" => Account::Held,
            "fees_paid" => Account::FeesPaid,
            "fees_earned" => Account::FeesEarned,
            "on_chain_fees" => Account::OnChainFees,
            "close_rounding" => Account::CloseRounding,
            "world" => Account::World,
            other => Account::Channel(other.strip_prefix("channel/")?.parse().ok()?),
        })
    }
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransferState {
    /// Reserved: it counts in no posted balance.
    Pending,
    /// Final.
    Posted,
    /// It never happened.
    Void,
}

words!(TransferState { Pending = "pending", Posted = "posted", Void = "void" });

/// An amount moved from one account to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRow {
    /// What it is for, unique: a replayed input makes the same key, and is written once.
    pub key: String,
    /// The account that loses.
    pub debit: Account,
    /// The account that gains.
    pub credit: Account,
    /// How much; never zero.
    pub amount: Msat,
    /// [`TransferState::Pending`] or [`TransferState::Posted`].
    pub state: TransferState,
    /// The payment that it belongs to.
    pub payment: Option<PaymentId>,
    /// When.
    pub created_at: Timestamp,
}

/// The end of a pending transfer. One that is not pending any more stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// [`TransferRow::key`].
    pub key: String,
    /// [`TransferState::Posted`] or [`TransferState::Void`].
    pub state: TransferState,
}

/// Something that happened, for readers of the event log. May not repeat: it is written in the
/// commit that says so, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// What, for example `payment_received`.
    pub kind: &'static str,
    /// The payment that it is about.
    pub payment: Option<PaymentId>,
    /// The channel that it is about.
    pub channel: Option<ChannelId>,
    /// The amount that it is about.
    pub amount: Option<Msat>,
    /// A line for people.
    pub detail: String,
    /// When.
    pub created_at: Timestamp,
}

/// What the engine needs of the ledger to go on after a stop or a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Every payment that is pending or held, both directions.
    pub payments: Vec<PaymentRow>,
    /// The attempts of those, by payment and number: the one that is pending; one that is settled, which
    /// was taken for failed before; and those that failed as [`Failure::REFUSED`].
    pub attempts: Vec<AttemptRow>,
    /// The parts of attempts that are pending, and of those incoming payments.
    pub parts: Vec<PartRow>,
    /// Posted balances of all channel accounts that are not zero, signed msat.
    pub channel_balances_msat: Vec<(ChannelId, i64)>,
    /// All waiting parts, in the order of their arrival.
    pub waiting: Vec<WaitingPart>,
    /// All settings that were replaced.
    pub settings: Vec<SettingRow>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn channel_accounts_round_trip(id: [u8; 32]) {
            let account = Account::Channel(ChannelId::from_bytes(id));
            prop_assert_eq!(Account::from_name(&account.name()), Some(account));
        }

        #[test]
        fn no_name_panics(name in ".*") {
            let _ = Account::from_name(&name);
        }
    }

    #[test]
    fn plain_accounts_round_trip() {
        for account in [
            Account::OnChain,
            Account::Opening,
            Account::InFlightOut,
            Account::HeldIn,
            Account::Held,
            Account::FeesPaid,
            Account::FeesEarned,
            Account::OnChainFees,
            Account::CloseRounding,
            Account::World,
        ] {
            assert_eq!(Account::from_name(&account.name()), Some(account));
        }
    }
}
