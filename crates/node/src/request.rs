//! What a caller asks for when paying.

use sponte_engine::PayRequest;
use sponte_proto::{Msat, NodeId, Records, Timestamp};

/// What a caller asks for when paying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRequest {
    /// The idempotency key: the same key is the same payment, for ever. 1 to 128 printable ASCII
    /// characters; a caller that has none makes a random one.
    pub key: String,
    /// Who is paid.
    pub destination: NodeId,
    /// What the destination gets.
    pub amount: Msat,
    /// What the route may cost; `None` for 5 sat and 1% of the amount.
    pub max_fee: Option<Msat>,
    /// No attempt starts later, in milliseconds from the request. At most a day.
    pub timeout_ms: u64,
    /// How many attempts may leave; 1 to 1,000.
    pub max_attempts: u32,
    /// Custom records.
    pub records: Records,
}

impl PaymentRequest {
    pub(crate) fn looked_up_at(&self, looked_up_at: Timestamp) -> PayRequest {
        let PaymentRequest { key, destination, amount, max_fee, timeout_ms, max_attempts, records } =
            self.clone();
        PayRequest { key, destination, amount, max_fee, timeout_ms, max_attempts, records, looked_up_at }
    }
}
