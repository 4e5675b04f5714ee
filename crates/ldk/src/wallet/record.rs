//! What the wallet remembers of a transaction beyond the transaction, and its bytes.

use serde::{Deserialize, Serialize};
use sponte_engine::backend::WalletTxKind;
use sponte_proto::{ChannelId, Sat, hex};

/// What is remembered of one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// What it was made for, if the wallet made it.
    pub(super) label: Option<Label>,
    /// What the books were told last.
    pub(super) told: Option<Told>,
    /// The height that confirmed it, once that is deep enough not to be looked at any more.
    pub(super) final_height: Option<u32>,
}

/// What a transaction of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Label {
    Withdrawal,
    Funding { value_sat: u64, broadcast: bool },
    Bump { since: u32 },
}

/// What the books were told of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) state: ToldState,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ToldState {
    Seen,
    Confirmed,
    Gone,
}

/// [`WalletTxKind`] as it is written: amounts in satoshi, channels in hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Deposit(u64),
    Withdrawal { amount_sat: u64, fee_sat: u64 },
    Funding { value_sat: u64, fee_sat: u64 },
    Sweep { inputs_sat: Vec<(Channel, u64)>, fee_sat: u64 },
    Bump { cost_sat: u64 },
}

/// An outpoint of a channel. The value is known for those that are about to be swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) channel: Channel,
    pub(super) value_sat: Option<u64>,
}

/// A channel id, in hex where it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Channel(pub(super) [u8; 32]);

impl Kind {
    /// For the books; every amount is a sum of outputs that exist, so it is below the supply.
    pub(super) fn to_backend(&self) -> WalletTxKind {
        let sat = |sat: u64| Sat::new(sat).expect("no coins sum up to more than the supply");
        match self {
            Kind::Deposit(amount) => WalletTxKind::Deposit(sat(*amount)),
            Kind::Withdrawal { amount_sat, fee_sat } => {
                WalletTxKind::Withdrawal { amount: sat(*amount_sat), fee: sat(*fee_sat) }
            }
            Kind::Funding { value_sat, fee_sat } => {
                WalletTxKind::Funding { value: sat(*value_sat), fee: sat(*fee_sat) }
            }
            Kind::Sweep { inputs_sat, fee_sat } => WalletTxKind::Sweep {
                inputs: inputs_sat
                    .iter()
                    .map(|(channel, value)| (ChannelId::from_bytes(channel.0), sat(*value)))
                    .collect(),
                fee: sat(*fee_sat),
            },
            Kind::Bump { cost_sat } => WalletTxKind::Bump { cost: sat(*cost_sat) },
        }
    }

    /// What it adds to the wallet's coins, in satoshi.
    pub(super) fn effect(&self) -> i128 {
        let sum = |parts: &[&u64]| parts.iter().map(|part| i128::from(**part)).sum::<i128>();
        match self {
            Kind::Deposit(amount) => sum(&[amount]),
            Kind::Withdrawal { amount_sat, fee_sat } => -sum(&[amount_sat, fee_sat]),
            Kind::Funding { value_sat, fee_sat } => -sum(&[value_sat, fee_sat]),
            Kind::Sweep { inputs_sat, fee_sat } => {
                inputs_sat.iter().map(|(_, value)| i128::from(*value)).sum::<i128>() - i128::from(*fee_sat)
            }
            Kind::Bump { cost_sat } => -sum(&[cost_sat]),
        }
    }
}

impl From<Channel> for String {
    fn from(channel: Channel) -> String {
        hex(&channel.0)
    }
}

impl TryFrom<String> for Channel {
    type Error = sponte_proto::HexError;

    fn try_from(text: String) -> Result<Channel, Self::Error> {
        text.parse::<ChannelId>().map(|id| Channel(id.to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_kind() -> impl Strategy<Value = Kind> {
        let channel = any::<[u8; 32]>().prop_map(Channel);
        prop_oneof![
            any::<u64>().prop_map(Kind::Deposit),
            any::<(u64, u64)>().prop_map(|(amount_sat, fee_sat)| Kind::Withdrawal { amount_sat, fee_sat }),
            any::<(u64, u64)>().prop_map(|(value_sat, fee_sat)| Kind::Funding { value_sat, fee_sat }),
            (proptest::collection::vec((channel, any::<u64>()), 0..3), any::<u64>())
                .prop_map(|(inputs_sat, fee_sat)| Kind::Sweep { inputs_sat, fee_sat }),
            any::<u64>().prop_map(|cost_sat| Kind::Bump { cost_sat }),
        ]
    }

    proptest! {
        #[test]
        fn records_round_trip(kind in any_kind(), height: Option<u32>, broadcast: bool) {
            let label = Some(Label::Funding { value_sat: 1, broadcast });
            let told = Some(Told { state: ToldState::Seen, kind });
            let record = Record { label, told, final_height: height };
            let bytes = serde_json::to_vec(&record).unwrap();
            prop_assert_eq!(serde_json::from_slice::<Record>(&bytes).unwrap(), record);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = serde_json::from_slice::<Record>(&bytes);
            let _ = serde_json::from_slice::<Note>(&bytes);
        }
    }
}
