//! `[receive]` in `sponte.toml`: which payments to this node are taken and held.

use crate::settings::Amount;
use crate::values::HoldValue;
use serde::Deserialize;
use sponte_api::{Hold, Receive, ReceiveKind, Short};
use sponte_proto::Msat;
use std::collections::BTreeSet;

/// The section as it stands; what is not in it is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiveSettings {
    /// The kinds that are on.
    pub kinds: Option<Vec<ReceiveKind>>,
    /// The smallest payment.
    pub min: Option<Amount<Msat>>,
    /// The largest payment.
    pub max: Option<Amount<Msat>>,
    /// The most bytes of records.
    pub max_records_bytes: Option<u32>,
    /// Which payments are held.
    pub hold: Option<HoldSetting>,
    /// For how long.
    pub hold_minutes: Option<u32>,
    /// How many blocks must be left.
    pub hold_blocks: Option<u32>,
    /// What becomes of payments that leave fewer.
    pub hold_short: Option<Short>,
}

/// `"none"`, `"all"`, `"1000sat"` or `[696969]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldSetting(pub Hold);

impl<'de> Deserialize<'de> for HoldSetting {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<HoldSetting, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = HoldSetting;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "\"none\", \"all\", an amount such as \"1000sat\", or record types such as [696969]",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<HoldSetting, E> {
                match text.parse() {
                    Ok(HoldValue(Hold::Records(_))) | Err(_) => {
                        Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
                    }
                    Ok(HoldValue(hold)) => Ok(HoldSetting(hold)),
                }
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<HoldSetting, A::Error> {
                let mut types = BTreeSet::new();
                while let Some(kind) = list.next_element::<u64>()? {
                    types.insert(kind);
                }
                Ok(HoldSetting(Hold::Records(types)))
            }
        }

        from.deserialize_any(Visitor)
    }
}

impl ReceiveSettings {
    /// With the defaults for what is not said.
    pub fn resolve(self) -> Receive {
        let no_limit = |max: &Msat| *max < Msat::MAX;
        let default = sponte_http::receive_defaults();
        Receive {
            kinds: self.kinds.unwrap_or(default.kinds),
            min_msat: self.min.map_or(default.min_msat, |Amount(min)| min),
            max_msat: self.max.map(|Amount(max)| max).filter(no_limit),
            max_records_bytes: self.max_records_bytes.unwrap_or(default.max_records_bytes),
            hold: self.hold.map_or(default.hold, |HoldSetting(hold)| hold),
            hold_minutes: self.hold_minutes.unwrap_or(default.hold_minutes),
            hold_blocks: self.hold_blocks.unwrap_or(default.hold_blocks),
            hold_short: self.hold_short.unwrap_or(default.hold_short),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ReceiveSettings, String> {
        toml::from_str(text).map_err(|why: toml::de::Error| why.message().to_owned())
    }

    #[test]
    fn every_way_to_hold_is_read() {
        let sat = Msat::from_sat(1_000).expect("small");
        for (text, hold) in [
            ("\"none\"", Hold::None),
            ("\"all\"", Hold::All),
            ("\"1000sat\"", Hold::From(sat)),
            ("[696969, 7]", Hold::Records([696_969, 7].into())),
        ] {
            assert_eq!(read(&format!("hold = {text}")).expect(text).resolve().hold, hold);
        }
        for wrong in ["\"some\"", "\"696969\"", "true", "[\"a\"]"] {
            assert!(read(&format!("hold = {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        assert_eq!(ReceiveSettings::default().resolve(), sponte_http::receive_defaults());
        let kinds = read("kinds = [\"amp\"]").expect("sound").resolve().kinds;
        assert_eq!(kinds, [ReceiveKind::Amp]);
        assert!(read("kinds = [\"bolt12\"]").expect_err("unknown").contains("bolt12"));
    }
}
