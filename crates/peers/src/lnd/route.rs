//! LND sends one HTLC along a way that the test chooses.

use super::pay::records_of;
use super::rest::base64;
use super::types::one;
use super::{Lnd, LndAttempt};
use serde_json::json;
use sponte_proto::{Msat, NodeId, PaymentHash, Records};

/// The one channel of the way, and what the destination reads.
#[derive(Clone, Debug)]
pub struct LndHop {
    /// The destination, a neighbour.
    pub to: NodeId,
    /// Over which channel.
    pub channel: u64,
    /// What the HTLC carries.
    pub amount: Msat,
    /// When it expires.
    pub expiry: u32,
    /// Address and total of the set.
    pub set: ([u8; 32], Msat),
    /// Share, set id and child index of AMP.
    pub amp: ([u8; 32], [u8; 32], u32),
    /// Custom records.
    pub records: Records,
}

impl Lnd {
    /// Sends it, and waits for its end.
    ///
    /// # Errors
    /// What LND says if it does not let it leave.
    pub async fn send(&self, hash: PaymentHash, hop: LndHop) -> Result<LndAttempt, String> {
        let (address, total) = hop.set;
        let (share, set_id, child_index) = hop.amp;
        let msat = hop.amount.to_msat().to_string();
        let body = json!({
            "payment_hash": base64(&hash.to_bytes()),
            "route": {
                "total_time_lock": hop.expiry,
                "total_amt_msat": msat,
                "total_fees_msat": "0",
                "hops": [{
                    "chan_id": hop.channel.to_string(),
                    "pub_key": hop.to.to_string(),
                    "amt_to_forward_msat": msat,
                    "fee_msat": "0",
                    "expiry": hop.expiry,
                    "tlv_payload": true,
                    "mpp_record": { "payment_addr": base64(&address), "total_amt_msat": total.to_msat().to_string() },
                    "amp_record": { "root_share": base64(&share), "set_id": base64(&set_id), "child_index": child_index },
                    "custom_records": records_of(&hop.records),
                }],
            },
        });
        self.rest().post("/v2/router/route/send", body).await.map(one)
    }
}
