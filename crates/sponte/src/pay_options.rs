//! What `sponte pay` and `sponte pay-invoice` have in common on the command line.

use crate::failure::Failure;
use crate::pay_values::{Hint, MaxFee};
use crate::values;
use clap::Args;
use sponte_api::{Code, Limits, RecordInput};
use std::time::Duration;

/// What an onion carries for all hops together (BOLT 4).
const ONION_BYTES: usize = 1300;

/// How far a payment goes, what travels with it, and how it is answered.
#[derive(Args, Debug)]
pub struct PayOptions {
    /// A chat message (record 34349334)
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// A custom record: hex:.., text:.. or json:.. behind its type; may be given more than once
    #[arg(long, value_name = "TYPE=VALUE", value_parser = values::record)]
    pub record: Vec<RecordInput>,
    /// What the routes may cost: an amount, or a share such as 0.5% [default: 5sat and 1% of the amount]
    #[arg(long, value_name = "AMOUNT|PERCENT%")]
    pub max_fee: Option<MaxFee>,
    /// No attempt starts after it
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = values::duration)]
    pub timeout: Duration,
    /// How many HTLCs may be on their way at once, 1 to 100 [default: 16]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub max_parts: Option<u32>,
    /// How often HTLCs may leave, again after a failure included, 1 to 1000 [default: 30]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub max_attempts: Option<u32>,
    /// Blocks until the HTLC expires at the destination, 42 to 800 [default: 144, or what an invoice
    /// asks for]
    #[arg(long, value_name = "BLOCKS", value_parser = clap::value_parser!(u16).range(42..=800))]
    pub final_cltv: Option<u16>,
    /// A way to a destination that the network does not know, from a node that it knows; further hops
    /// behind commas; may be given more than once
    #[arg(long, value_name = "NODE:SCID:BASE_MSAT:PPM:CLTV[,..]")]
    pub route_hint: Vec<Hint>,
    /// Show how it would be paid and what it would cost; send nothing
    #[arg(long, conflicts_with = "no_wait")]
    pub dry_run: bool,
    /// Answer once the payment is in the ledger
    #[arg(long)]
    pub no_wait: bool,
}

impl PayOptions {
    /// As the API has them.
    pub fn limits(&self) -> Limits {
        let (max_fee_msat, max_fee_ppm) = match self.max_fee {
            None => (None, None),
            Some(MaxFee::Amount(amount)) => (Some(amount), None),
            Some(MaxFee::Share(ppm)) => (None, Some(ppm)),
        };
        Limits {
            max_fee_msat,
            max_fee_ppm,
            timeout_ms: Some(u64::try_from(self.timeout.as_millis()).expect("the parser allows a day")),
            max_attempts: self.max_attempts,
            max_parts: self.max_parts,
            final_cltv: self.final_cltv,
            route_hints: self.route_hint.iter().map(|Hint(hops)| hops.clone()).collect(),
        }
    }

    /// Told here, where nothing is asked yet: a body of any size need not be sent for that.
    ///
    /// # Errors
    /// Message and records are more than any onion holds.
    pub fn require_room(&self) -> Result<(), Failure> {
        let hex_digits = |record: &RecordInput| record.value_hex.as_ref().map_or(0, String::len);
        let records: usize = self.record.iter().map(|record| hex_digits(record) / 2).sum();
        let bytes = self.message.as_ref().map_or(0, String::len) + records;
        if bytes < ONION_BYTES {
            return Ok(());
        }
        Err(Failure::new(
            Code::Usage,
            format!(
                "message and records have {bytes} bytes, and with the route less than {ONION_BYTES} fit into a payment: send less"
            ),
        ))
    }
}
