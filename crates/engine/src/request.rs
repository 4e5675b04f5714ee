//! What a caller asks for when paying.

use crate::commit::PaymentRow;
use crate::fees::default_max_fee;
use crate::output::PayError;
use bitcoin_hashes::{Hash as _, HashEngine as _, sha256};
use sponte_proto::{Msat, NodeId, Records, Timestamp};

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
    /// When the caller looked into the ledger for the key, and did not find it.
    pub looked_up_at: Timestamp,
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
        self.arguments() == Arguments::of_row(row)
    }

    pub(crate) fn arguments(&self) -> Arguments {
        Arguments::new(self.destination, self.amount, self.fee_limit(), &self.records)
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

/// A digest of what a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arguments([u8; 32]);

impl Arguments {
    /// Of an outgoing payment.
    pub(crate) fn of_row(row: &PaymentRow) -> Option<Arguments> {
        row.destination.map(|destination| Arguments::new(destination, row.amount, row.max_fee, &row.records))
    }

    fn new(destination: NodeId, amount: Msat, max_fee: Msat, records: &Records) -> Arguments {
        let mut engine = sha256::Hash::engine();
        engine.input(&destination.to_bytes());
        engine.input(&amount.to_msat().to_be_bytes());
        engine.input(&max_fee.to_msat().to_be_bytes());
        engine.input(&records.encode());
        Arguments(sha256::Hash::from_engine(engine).to_byte_array())
    }
}

impl PartialEq<Option<Arguments>> for Arguments {
    fn eq(&self, other: &Option<Arguments>) -> bool {
        other.as_ref() == Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sponte_proto::Record;

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
            looked_up_at: Timestamp::default(),
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
            other.arguments() == request().arguments()
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
