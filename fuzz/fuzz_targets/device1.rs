//! Terms of a device: any channel id and payment secret; and terms that round-trip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sponte_fuzz::{key, public_key};
use sponte_proto::device::{Device1, Terms};
use sponte_proto::{CltvExpiryDelta, Msat, PaymentSecret, ShortChannelId};
use std::sync::OnceLock;

fn device() -> &'static Device1 {
    static DEVICE: OnceLock<Device1> = OnceLock::new();
    DEVICE.get_or_init(|| Device1::new(&public_key(0x41), &key(0x42), 1).expect("20 bits"))
}

/// Any terms, out of the bytes of a secret.
fn terms(bytes: &[u8; 32]) -> Terms {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, ..] = *bytes;
    let amount = Msat::new(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
    Terms {
        amount: amount.filter(|amount| *amount != Msat::ZERO),
        expiry_unix_s: u32::from_be_bytes([i, j, k, l]),
        min_final_cltv: CltvExpiryDelta::new(u16::from_be_bytes([m, n])),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((channel, rest)) = data.split_first_chunk() else { return };
    let Some((secret, _)) = rest.split_first_chunk() else { return };
    let channel = ShortChannelId::from_bytes(*channel);
    let _ = device().open(channel, &PaymentSecret::from_bytes(*secret));
    let terms = terms(secret);
    if let Some(invoice) = device().invoice(channel.to_u64(), &terms) {
        let read = device().open(invoice.short_channel_id(), invoice.payment_secret());
        assert_eq!(read, Ok((terms, invoice.preimage().clone())));
    }
});
