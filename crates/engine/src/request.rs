//! What a caller asks for when paying.

use crate::backend::RouteHint;
use crate::commit::{Direction, Kind, PaidInvoice, PaymentRow, Plan, Receipt, State};
use crate::config::Config;
use crate::fees::default_max_fee;
use crate::output::PayError;
use sponte_proto::ecdh::ECDH_RECORD;
use sponte_proto::{CltvExpiryDelta, Msat, NodeId, PaymentHash, PaymentId, Records, Timestamp};

/// The longest idempotency key, in characters.
pub const MAX_KEY_LENGTH: usize = 128;
/// The longest timeout: a day.
pub const MAX_TIMEOUT_MS: u64 = 86_400_000;
/// The highest limit on attempts.
pub const MAX_ATTEMPTS: u32 = 1_000;
/// As lnd has it (retry.md).
const DEFAULT_PARTS: u32 = 16;
const DEFAULT_TIMEOUT_MS: u64 = 60_000;
/// The highest limit on parts.
pub const MAX_PARTS: u32 = 100;
/// All hop payloads of an onion together have 1300 bytes (BOLT 4, `hop_payloads`). What fits
/// beside the rest of the payloads is for the backend to say.
pub const MAX_RECORDS_BYTES: usize = 1_300;
/// The lowest final expiry that every known receiver of spontaneous payments takes (facts/keysend.md:
/// LDK refuses what is nearer than 42 blocks), and the highest that leaves routes their own.
pub const FINAL_CLTV: std::ops::RangeInclusive<u16> = 42..=800;
/// The longest note to the issuer of an offer, bytes.
pub const MAX_NOTE_BYTES: usize = 512;
/// More ways to a destination, or hops in one, are not looked at.
pub const MAX_HINTS: usize = 20;

/// What a caller asks for when paying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayRequest {
    /// The idempotency key: 1 to 128 printable ASCII characters. A caller that has none is given
    /// a random one by whoever has randomness.
    pub key: String,
    /// Who is paid.
    pub destination: NodeId,
    /// What the destination gets.
    pub amount: Msat,
    /// The kind; `None` for keysend if one path carries the amount, else AMP if the destination
    /// says that it takes it, else MPP keysend. Invoices have their own.
    pub kind: Option<Kind>,
    /// Whether another kind is tried if the destination refuses one: AMP, then keysend by one path
    /// or MPP keysend; MPP keysend, then keysend by one path. `None` for yes, except if AMP is
    /// asked for. Always with a new hash, and after all of the attempt before has failed.
    pub fall_back: Option<bool>,
    /// What the routes may cost together; `None` for [`default_max_fee`].
    pub max_fee: Option<Msat>,
    /// So many HTLCs may be on their way at once.
    pub max_parts: u32,
    /// No attempt starts later than this after the request. What is on its way by then is waited
    /// for.
    pub timeout_ms: u64,
    /// How often HTLCs may leave, see [`Plan::tries`].
    pub max_attempts: u32,
    /// Blocks between our tip and the final HTLC's expiry; `None` for [`Config::final_cltv`].
    pub final_cltv: Option<CltvExpiryDelta>,
    /// Ways to a destination that the network does not know.
    pub hints: Vec<Vec<RouteHint>>,
    /// Custom records.
    pub records: Records,
    /// The invoice that is paid, and until when it can be. An AMP invoice has no hash, nor has an
    /// offer's before it has come.
    pub invoice: Option<(PaidInvoice, Timestamp)>,
}

impl PayRequest {
    /// Of the kind that fits, in up to 16 parts, for a minute, with the usual fee limit.
    pub fn new(key: impl Into<String>, destination: NodeId, amount: Msat) -> PayRequest {
        PayRequest {
            key: key.into(),
            destination,
            amount,
            kind: None,
            fall_back: None,
            max_fee: None,
            max_parts: DEFAULT_PARTS,
            timeout_ms: DEFAULT_TIMEOUT_MS,
            max_attempts: MAX_ATTEMPTS,
            final_cltv: None,
            hints: vec![],
            records: Records::new(),
            invoice: None,
        }
    }

    /// What the routes may cost.
    pub fn fee_limit(&self) -> Msat {
        self.max_fee.unwrap_or_else(|| default_max_fee(self.amount))
    }

    /// Whether `row` is what this request asks for. Destination, amount, kind, invoice, fee limit
    /// and records count. Patience, parts and hints do not: they say how to try, not what to pay,
    /// so a caller may repeat a request with more of them.
    pub fn same_payment(&self, row: &PaymentRow) -> bool {
        row.destination == Some(self.destination)
            && row.amount == self.amount
            && row.max_fee == self.fee_limit()
            && row.records == self.records
            && row.plan.asked == self.asked()
            && match (row.plan.invoice.as_deref(), &self.invoice) {
                (Some(known), Some((invoice, _))) => invoice.is_same(known),
                (known, invoice) => known.is_none() && invoice.is_none(),
            }
    }

    /// The hash of the invoice that is paid, if it has one.
    pub fn invoice_hash(&self) -> Option<PaymentHash> {
        self.invoice.as_ref()?.0.hash
    }

    /// The kind that the caller wants.
    fn asked(&self) -> Option<Kind> {
        match &self.invoice {
            Some((PaidInvoice { offered: Some(_), .. }, _)) => Some(Kind::Bolt12),
            Some((PaidInvoice { hash: None, .. }, _)) => Some(Kind::AmpInvoice),
            Some((PaidInvoice { hash: Some(_), .. }, _)) => Some(Kind::Bolt11),
            None => self.kind,
        }
    }

    /// What can be said without knowing any payment.
    pub(crate) fn check(&self, us: NodeId) -> Result<(), PayError> {
        let printable = self.key.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
        if self.key.is_empty() || self.key.len() > MAX_KEY_LENGTH || !printable {
            return Err(PayError::BadKey);
        }
        if self.amount == Msat::ZERO {
            return Err(PayError::ZeroAmount);
        }
        if self.destination == us {
            return Err(PayError::SelfPayment);
        }
        if !(1..=MAX_TIMEOUT_MS).contains(&self.timeout_ms) {
            return Err(PayError::BadTimeout);
        }
        if !(1..=MAX_ATTEMPTS).contains(&self.max_attempts) {
            return Err(PayError::BadAttempts);
        }
        if !(1..=MAX_PARTS).contains(&self.max_parts) {
            return Err(PayError::BadParts);
        }
        if self.final_cltv.is_some_and(|delta| !FINAL_CLTV.contains(&delta.to_u16())) {
            return Err(PayError::BadFinalCltv);
        }
        let long = |hint: &Vec<RouteHint>| hint.is_empty() || hint.len() > MAX_HINTS;
        if self.hints.len() > MAX_HINTS || self.hints.iter().any(long) {
            return Err(PayError::BadHints);
        }
        self.check_kind()?;
        if self.records.encode().len() > MAX_RECORDS_BYTES {
            return Err(PayError::RecordsTooLarge);
        }
        Ok(())
    }

    fn check_kind(&self) -> Result<(), PayError> {
        if matches!(self.kind, Some(Kind::AmpInvoice | Kind::Bolt11 | Kind::Bolt12)) {
            return Err(PayError::NoInvoice);
        }
        // BOLT 4, `payload`: a blinded final hop takes nothing else beside its own data.
        if self.asked() == Some(Kind::Bolt12) && !self.records.is_empty() {
            return Err(PayError::OfferedRecords);
        }
        let offered = self.invoice.as_ref().and_then(|(invoice, _)| invoice.offered.as_ref());
        let note = offered.and_then(|offered| offered.note.as_ref());
        if note.is_some_and(|note| note.len() > MAX_NOTE_BYTES) {
            return Err(PayError::LongNote);
        }
        if self.records.value(ECDH_RECORD.to_u64()).is_some() {
            return Err(PayError::ReservedRecord);
        }
        Ok(())
    }

    /// The invoice of its offer is still to be asked for.
    pub fn awaits_invoice(&self) -> bool {
        let offered = self.invoice.as_ref().and_then(|(invoice, _)| invoice.offered.as_ref());
        offered.is_some_and(|offered| offered.invoice.is_empty())
    }

    /// What only a new payment is asked.
    pub(crate) fn check_time(&self, now: Timestamp) -> Result<(), PayError> {
        match &self.invoice {
            Some((_, expires_at)) if now >= *expires_at => Err(PayError::Expired),
            _ if self.awaits_invoice() => Err(PayError::InvoiceAwaited),
            _ => Ok(()),
        }
    }

    /// The payment that begins.
    pub(crate) fn into_row(self, config: &Config, id: PaymentId, now: Timestamp) -> PaymentRow {
        let (asked, max_fee) = (self.asked(), self.fee_limit());
        let plan = Plan {
            asked,
            fall_back: self.fall_back.unwrap_or(asked != Some(Kind::Amp)),
            max_parts: self.max_parts,
            final_cltv: self.final_cltv.unwrap_or(config.final_cltv),
            hints: self.hints,
            invoice: self.invoice.map(|(invoice, _)| Box::new(invoice)),
            tries: 0,
            canceled: false,
            reason: String::new(),
        };
        PaymentRow {
            id,
            direction: Direction::Out,
            kind: asked.unwrap_or(Kind::Keysend),
            state: State::Pending,
            destination: Some(self.destination),
            amount: self.amount,
            fee: Msat::ZERO,
            max_fee,
            hash: None,
            preimage: None,
            failure: None,
            deadline: now.plus_millis(self.timeout_ms),
            attempts: 0,
            max_attempts: self.max_attempts,
            created_at: now,
            updated_at: now,
            receipt: Receipt::default(),
            key: Some(self.key),
            records: self.records,
            plan,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NodeSecret;
    use sponte_proto::{PaymentSecret, Record};

    fn node(first: u8) -> NodeId {
        NodeId::from_bytes([first; 33]).expect("2 or 3")
    }

    fn request() -> PayRequest {
        PayRequest {
            key: "k".into(),
            destination: node(3),
            amount: Msat::new(1).expect("small"),
            kind: None,
            fall_back: None,
            max_fee: None,
            max_parts: 1,
            timeout_ms: 1,
            max_attempts: 1,
            final_cltv: None,
            hints: vec![],
            records: Records::new(),
            invoice: None,
        }
    }

    /// What `request` begins.
    fn row() -> PaymentRow {
        let config = Config::new(node(2), NodeSecret::new([7; 32]));
        request().into_row(&config, PaymentId::from_bytes([1; 32]), Timestamp::default())
    }

    fn invoice() -> (PaidInvoice, Timestamp) {
        let payment_addr = Some(PaymentSecret::from_bytes([5; 32]));
        let text = "lnbcrt1".into();
        let invoice = PaidInvoice { text, hash: None, payment_addr, metadata: None, offered: None };
        (invoice, Timestamp::from_millis(10))
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |change: fn(&mut PayRequest)| {
            let mut request = request();
            change(&mut request);
            request.check(node(2))
        };
        assert_eq!(check(|_| ()), Ok(()));
        assert_eq!(check(|r| r.key = String::new()), Err(PayError::BadKey));
        assert_eq!(check(|r| r.key = "k".repeat(129)), Err(PayError::BadKey));
        assert_eq!(check(|r| r.key = "k\n".into()), Err(PayError::BadKey));
        assert_eq!(check(|r| r.key = "ü".into()), Err(PayError::BadKey));
        assert_eq!(check(|r| r.amount = Msat::ZERO), Err(PayError::ZeroAmount));
        assert_eq!(check(|r| r.destination = node(2)), Err(PayError::SelfPayment));
        assert_eq!(check(|r| r.timeout_ms = 0), Err(PayError::BadTimeout));
        assert_eq!(check(|r| r.timeout_ms = MAX_TIMEOUT_MS + 1), Err(PayError::BadTimeout));
        assert_eq!(check(|r| r.max_attempts = 0), Err(PayError::BadAttempts));
        assert_eq!(check(|r| r.max_attempts = MAX_ATTEMPTS + 1), Err(PayError::BadAttempts));
        assert_eq!(check(|r| r.max_parts = 0), Err(PayError::BadParts));
        assert_eq!(check(|r| r.max_parts = MAX_PARTS + 1), Err(PayError::BadParts));
        let final_cltv = |blocks| move |r: &mut PayRequest| r.final_cltv = Some(CltvExpiryDelta::new(blocks));
        let with = |change: &dyn Fn(&mut PayRequest)| {
            let mut request = request();
            change(&mut request);
            request.check(node(2))
        };
        assert_eq!(with(&final_cltv(41)), Err(PayError::BadFinalCltv));
        assert_eq!(with(&final_cltv(42)), Ok(()));
        assert_eq!(check(|r| r.hints = vec![vec![]]), Err(PayError::BadHints));
        assert_eq!(check(|r| r.kind = Some(Kind::AmpInvoice)), Err(PayError::NoInvoice));
        let marked = |r: &mut PayRequest| {
            r.records.insert(Record::new(ECDH_RECORD.to_u64(), vec![2]).expect("custom")).expect("first");
        };
        assert_eq!(check(marked), Err(PayError::ReservedRecord));
        let large = |r: &mut PayRequest| {
            r.records.insert(Record::new(65_537, vec![0; 1_300]).expect("custom")).expect("first");
        };
        assert_eq!(check(large), Err(PayError::RecordsTooLarge));
    }

    #[test]
    fn patience_is_no_argument_and_all_else_is() {
        let same = |change: fn(&mut PayRequest)| {
            let mut other = request();
            change(&mut other);
            other.same_payment(&row())
        };
        assert!(same(|r| r.timeout_ms = 5));
        assert!(same(|r| r.max_attempts = 5));
        assert!(same(|r| r.max_fee = Some(default_max_fee(r.amount))));
        assert!(same(|r| r.max_parts = 5));
        assert!(!same(|r| r.kind = Some(Kind::Keysend)));
        assert!(!same(|r| r.invoice = Some(invoice())));
        assert!(!same(|r| r.max_fee = Some(Msat::ZERO)));
        assert!(!same(|r| r.amount = Msat::new(2).expect("small")));
        assert!(!same(|r| r.destination = node(2)));
        assert!(!same(|r| r.records = Records::from_received([(65_537, vec![])])));
    }

    #[test]
    fn an_invoice_is_paid_before_it_expires() {
        let request = PayRequest { invoice: Some(invoice()), ..request() };
        assert_eq!(request.check_time(Timestamp::from_millis(9)), Ok(()));
        assert_eq!(request.check_time(Timestamp::from_millis(10)), Err(PayError::Expired));
        assert_eq!(request.asked(), Some(Kind::AmpInvoice));
    }
}
