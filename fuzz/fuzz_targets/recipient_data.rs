//! Data of blinded hops: what is read is read again after it was written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_fuzz::shared_secret;
use sponte_proto::blinding::{PaymentConstraints, PaymentRelay, RecipientData, open_data, seal_data};

fuzz_target!(|data: &[u8]| {
    let _ = open_data(&shared_secret(), data);
    assert_eq!(open_data(&shared_secret(), &seal_data(&shared_secret(), data)).expect("sealed")[..], *data);
    if let Ok(read) = RecipientData::decode(data) {
        let again = RecipientData::decode(&read.encode());
        assert_eq!(again, Ok(read));
    }
    if let Ok(relay) = PaymentRelay::decode(data) {
        assert_eq!(relay.encode(), data);
    }
    if let Ok(constraints) = PaymentConstraints::decode(data) {
        assert_eq!(constraints.encode(), data);
    }
});
