//! What a caller asks for when paying.

use crate::commit::PaymentRow;
use crate::fees::default_max_fee;
use crate::output::PayError;
use sponte_proto::{Msat, NodeId, Records};

/// The longest idempotency key, in characters.
pub const MAX_KEY_LENGTH: usize = 128;
/// The longest timeout: a day.
pub const MAX_TIMEOUT_MS: u64 = 86_400_000;
/// The highest limit on attempts.
pub const MAX_ATTEMPTS: u32 = 1_000;
/// All hop payloads of an onion together have 1300 bytes (BOLT 4, `hop_payloads`). What fits
/// beside the rest of the payloads is for the backend to say.
pub const MAX_RECORDS_BYTES: usize = 1_300;

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
    /// What the route may cost; `None` for [`default_max_fee`].
    pub max_fee: Option<Msat>,
    /// No attempt starts later than this after the request. An attempt that is on its way by
    /// then is waited for.
    pub timeout_ms: u64,
    /// How many attempts may leave.
    pub max_attempts: u32,
    /// Custom records.
    pub records: Records,
}

impl PayRequest {
    /// What the route may cost.
    pub fn fee_limit(&self) -> Msat {
        self.max_fee.unwrap_or_else(|| default_max_fee(self.amount))
    }

    /// Whether `row` is what this request asks for. Destination, amount, fee limit and records
    /// count. Timeout and attempts do not: they say how long to try, not what to pay, so a caller
    /// may repeat a request with more patience.
    pub fn same_payment(&self, row: &PaymentRow) -> bool {
        row.destination == Some(self.destination)
            && row.amount == self.amount
            && row.max_fee == self.fee_limit()
            && row.records == self.records
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
        if self.records.encode().len() > MAX_RECORDS_BYTES {
            return Err(PayError::RecordsTooLarge);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::{Direction, Kind, Receipt, State};
    use sponte_proto::{PaymentId, Record, Timestamp};

    fn node(first: u8) -> NodeId {
        NodeId::from_bytes([first; 33]).expect("2 or 3")
    }

    fn request() -> PayRequest {
        PayRequest {
            key: "k".into(),
            destination: node(3),
            amount: Msat::new(1).expect("small"),
            max_fee: None,
            timeout_ms: 1,
            max_attempts: 1,
            records: Records::new(),
        }
    }

    /// What `request` begins.
    fn row() -> PaymentRow {
        let PayRequest { key, destination, amount, records, .. } = request();
        PaymentRow {
            id: PaymentId::from_bytes([1; 32]),
            direction: Direction::Out,
            kind: Kind::Keysend,
            state: State::Pending,
            key: Some(key),
            destination: Some(destination),
            amount,
            fee: Msat::ZERO,
            max_fee: default_max_fee(amount),
            hash: None,
            preimage: None,
            records,
            failure: None,
            deadline: Timestamp::default(),
            attempts: 1,
            max_attempts: 1,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            receipt: Receipt::default(),
        }
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
        assert!(!same(|r| r.max_fee = Some(Msat::ZERO)));
        assert!(!same(|r| r.amount = Msat::new(2).expect("small")));
        assert!(!same(|r| r.destination = node(2)));
        assert!(!same(|r| r.records = Records::from_received([(65_537, vec![])])));
    }
}
