//! Secrets of 32 bytes: compared in constant time, wiped when dropped, never shown.

macro_rules! secret32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name([u8; 32]);

        impl $name {
            /// From its bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> $name {
                $name(bytes)
            }

            /// Its bytes. Whoever copies them wipes the copy.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl PartialEq for $name {
            /// In constant time.
            fn eq(&self, other: &$name) -> bool {
                subtle::ConstantTimeEq::ct_eq(&self.0[..], &other.0[..]).into()
            }
        }

        impl Eq for $name {}

        impl Drop for $name {
            fn drop(&mut self) {
                zeroize::Zeroize::zeroize(&mut self.0);
            }
        }

        impl zeroize::ZeroizeOnDrop for $name {}

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}
pub(crate) use secret32;

secret32! {
    /// What a payer must know to pay an invoice, or chooses to mark the parts of one payment
    /// (BOLT 4, `payment_secret` of `payment_data`). LND calls it the payment address.
    PaymentSecret
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_secret_is_compared_and_not_shown() {
        let secret = PaymentSecret::from_bytes([7; 32]);
        assert_eq!(secret, PaymentSecret::from_bytes([7; 32]));
        let mut other = [7; 32];
        other[31] = 8;
        assert_ne!(secret, PaymentSecret::from_bytes(other));
        assert_eq!(format!("{secret:?}"), "PaymentSecret(..)");
    }
}
