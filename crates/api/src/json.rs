//! How units and identifiers stand in JSON: modules for `#[serde(with = "..")]`.

/// Whatever is shown as text and read back from it: identifiers in hex.
pub(crate) mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::fmt::Display;
    use std::str::FromStr;

    pub fn serialize<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// As [`text`], or absent.
pub(crate) mod text_option {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::fmt::Display;
    use std::str::FromStr;

    pub fn serialize<T: Display, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.collect_str(value),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse()).transpose().map_err(D::Error::custom)
    }
}

/// A list of texts.
pub(crate) mod text_list {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::fmt::Display;
    use std::str::FromStr;

    pub fn serialize<T: Display, S: Serializer>(values: &[T], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().map(T::to_string))
    }

    pub fn deserialize<'de, T, D>(from: D) -> Result<Vec<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let texts = Vec::<String>::deserialize(from)?;
        texts.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}

macro_rules! integers {
    ($($(#[$doc:meta])* $module:ident, $option:ident: $unit:ident $new:expr, $bare:ident, $why:literal;)+) => {$(
        $(#[$doc])*
        pub(crate) mod $module {
            use serde::{Deserialize, Deserializer, Serializer};
            use sponte_proto::$unit;

            pub fn serialize<S: Serializer>(value: &$unit, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_u64(value.$bare())
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$unit, D::Error> {
                checked(u64::deserialize(from)?)
            }

            pub(super) fn checked<E: serde::de::Error>(number: u64) -> Result<$unit, E> {
                $new(number).ok_or_else(|| E::custom(format!("{number} {}", $why)))
            }
        }

        /// The same, or absent.
        #[allow(dead_code, reason = "not every unit is optional somewhere")]
        pub(crate) mod $option {
            use serde::{Deserialize, Deserializer, Serializer};
            use sponte_proto::$unit;

            pub fn serialize<S: Serializer>(value: &Option<$unit>, to: S) -> Result<S::Ok, S::Error> {
                match value {
                    Some(value) => to.serialize_u64(value.$bare()),
                    None => to.serialize_none(),
                }
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<$unit>, D::Error> {
                Option::<u64>::deserialize(from)?.map(super::$module::checked).transpose()
            }
        }
    )+};
}

integers! {
    /// An amount in millisatoshi.
    msat, msat_option: Msat Msat::new, to_msat, "msat is more than 21,000,000 btc";
    /// An amount in satoshi.
    sat, sat_option: Sat Sat::new, to_sat, "sat is more than 21,000,000 btc";
    /// A time in milliseconds since the Unix epoch.
    millis, millis_option: Timestamp (|n| Some(Timestamp::from_millis(n))), to_millis, "";
}
