//! What people write: amounts, heights, times, hex, identifiers. What is read is shown as it is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_proto::{
    BlockHeight, ChannelId, CltvExpiry, CltvExpiryDelta, Msat, NodeId, PaymentHash, PaymentId, Preimage, Sat,
    ShortChannelId, Timestamp, Txid, hex, unhex,
};
use std::fmt::{Debug, Display};
use std::str::FromStr;

fn check<T: FromStr + Display + PartialEq + Debug>(text: &str)
where
    T::Err: Debug,
{
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse::<T>().expect("what is shown is read"), value);
    }
}

fuzz_target!(|text: &str| {
    check::<Msat>(text);
    check::<Sat>(text);
    check::<BlockHeight>(text);
    check::<CltvExpiry>(text);
    check::<CltvExpiryDelta>(text);
    check::<Timestamp>(text);
    check::<PaymentHash>(text);
    check::<PaymentId>(text);
    check::<ChannelId>(text);
    check::<Txid>(text);
    check::<NodeId>(text);
    check::<ShortChannelId>(text);
    let _ = text.parse::<Preimage>();
    if let Ok(bytes) = unhex(text) {
        assert_eq!(hex(&bytes), text.to_lowercase());
    }
});
