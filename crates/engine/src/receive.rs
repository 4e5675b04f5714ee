//! Which payments to us are taken, and which of them are held.

use crate::backend::Kinds;
use crate::commit::SettingRow;
use crate::output::ReceiveError;
use sponte_proto::{Msat, Records};
use std::collections::BTreeSet;

/// The key of the row that replaces the configuration.
const KEY: &str = "receive";
/// The first byte of its value.
const VERSION: u8 = 1;

/// Which payments to us are taken, and which of them are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receive {
    /// Which kinds are on.
    pub kinds: Kinds,
    /// The smallest payment; an invoice that is paid once says its own amount.
    pub min: Msat,
    /// The largest payment, likewise; any if there is none.
    pub max: Option<Msat>,
    /// The most bytes that the custom records of a payment may have, as they stand in a payload.
    pub max_records_bytes: u32,
    /// Which payments are held.
    pub hold: Hold,
    /// After so many minutes a held payment is canceled.
    pub hold_minutes: u32,
    /// A payment is held only if so many blocks are left for the decision.
    pub hold_blocks: u32,
    /// What becomes of a payment that should be held and leaves fewer blocks.
    pub short: Short,
}

/// Which payments are held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hold {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// Those that are worth at least so much.
    From(Msat),
    /// Those with a record of one of these types.
    Records(BTreeSet<u64>),
}

/// What becomes of a payment that should be held, and cannot be for long enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Short {
    /// It is claimed at once.
    Accept,
    /// It is refused at once.
    #[default]
    Refuse,
}

impl Default for Receive {
    /// Any amount of any kind but `ecdh0`, with as many records as an onion holds; none is held.
    fn default() -> Receive {
        Receive {
            kinds: Kinds::default(),
            min: Msat::ZERO,
            max: None,
            max_records_bytes: 1_300,
            hold: Hold::None,
            hold_minutes: 60,
            hold_blocks: 12,
            short: Short::Refuse,
        }
    }
}

impl Receive {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// Nothing could be received, or payments would be held for no time.
    pub fn check(&self) -> Result<(), ReceiveError> {
        if self.max.is_some_and(|max| max < self.min || max == Msat::ZERO) {
            return Err(ReceiveError::NoAmount);
        }
        if self.hold != Hold::None && self.hold_minutes == 0 {
            return Err(ReceiveError::NoHoldTime);
        }
        Ok(())
    }

    /// Whether a payment is to be held.
    pub(crate) fn holds(&self, amount: Msat, records: &Records) -> bool {
        match &self.hold {
            Hold::None => false,
            Hold::All => true,
            Hold::From(least) => amount >= *least,
            Hold::Records(types) => records.iter().any(|(kind, _)| types.contains(&kind)),
        }
    }

    /// Whether what was set at run time can be read. If not, what the configuration says holds.
    pub fn is_readable(rows: &[SettingRow]) -> bool {
        rows.iter().all(|row| row.key != KEY) || Receive::of_rows(rows).is_some()
    }

    /// The row that makes it outlive a restart.
    pub(crate) fn row(policy: Option<&Receive>) -> SettingRow {
        SettingRow { key: KEY.into(), value: policy.map(Receive::encode) }
    }

    /// What the rows say, if one of them is about payments to us and can be read.
    pub(crate) fn of_rows(rows: &[SettingRow]) -> Option<Receive> {
        let row = rows.iter().find(|row| row.key == KEY)?;
        Receive::decode(row.value.as_deref()?)
    }

    fn encode(&self) -> Vec<u8> {
        let Kinds { keysend, mpp_keysend, amp, amp_invoice, ecdh1, ecdh0 } = self.kinds;
        let kinds = [keysend, mpp_keysend, amp, amp_invoice, ecdh1, ecdh0];
        let kinds = kinds.iter().enumerate().fold(0u8, |bits, (bit, on)| bits | u8::from(*on) << bit);
        let mut out = vec![VERSION, kinds, u8::from(self.short == Short::Accept)];
        out.extend(self.min.to_msat().to_be_bytes());
        // No payment is as large as the end of the range.
        out.extend(self.max.map_or(u64::MAX, Msat::to_msat).to_be_bytes());
        for number in [self.max_records_bytes, self.hold_minutes, self.hold_blocks] {
            out.extend(number.to_be_bytes());
        }
        match &self.hold {
            Hold::None => out.push(0),
            Hold::All => out.push(1),
            Hold::From(least) => {
                out.push(2);
                out.extend(least.to_msat().to_be_bytes());
            }
            Hold::Records(types) => {
                out.push(3);
                types.iter().for_each(|kind| out.extend(kind.to_be_bytes()));
            }
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Receive> {
        let mut reader = Reader(bytes);
        if reader.u8()? != VERSION {
            return None;
        }
        let kinds = reader.u8()?;
        let on = |bit: u8| kinds >> bit & 1 == 1;
        let short = if reader.u8()? == 1 { Short::Accept } else { Short::Refuse };
        let min = Msat::new(reader.u64()?)?;
        let max = match reader.u64()? {
            u64::MAX => None,
            msat => Some(Msat::new(msat)?),
        };
        let [max_records_bytes, hold_minutes, hold_blocks] = [reader.u32()?, reader.u32()?, reader.u32()?];
        let hold = match reader.u8()? {
            0 => Hold::None,
            1 => Hold::All,
            2 => Hold::From(Msat::new(reader.u64()?)?),
            3 => {
                let mut types = BTreeSet::new();
                while !reader.0.is_empty() {
                    types.insert(reader.u64()?);
                }
                Hold::Records(types)
            }
            _ => return None,
        };
        let kinds = Kinds {
            keysend: on(0),
            mpp_keysend: on(1),
            amp: on(2),
            amp_invoice: on(3),
            ecdh1: on(4),
            ecdh0: on(5),
        };
        let read = Receive { kinds, min, max, max_records_bytes, hold, hold_minutes, hold_blocks, short };
        reader.0.is_empty().then_some(read)
    }
}

/// Bytes that are taken from the front.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount() -> impl Strategy<Value = Msat> {
        (0..=Msat::MAX.to_msat()).prop_map(|msat| Msat::new(msat).expect("in supply"))
    }

    fn hold() -> impl Strategy<Value = Hold> {
        prop_oneof![
            Just(Hold::None),
            Just(Hold::All),
            amount().prop_map(Hold::From),
            any::<BTreeSet<u64>>().prop_map(Hold::Records),
        ]
    }

    proptest! {
        #[test]
        fn a_policy_round_trips(
            kinds: [bool; 6], min in amount(), max in prop::option::of(amount()), hold in hold(),
            numbers: [u32; 3], accept: bool,
        ) {
            let [keysend, mpp_keysend, amp, amp_invoice, ecdh1, ecdh0] = kinds;
            let [max_records_bytes, hold_minutes, hold_blocks] = numbers;
            let policy = Receive {
                kinds: Kinds { keysend, mpp_keysend, amp, amp_invoice, ecdh1, ecdh0 },
                short: if accept { Short::Accept } else { Short::Refuse },
                min, max, max_records_bytes, hold, hold_minutes, hold_blocks,
            };
            let rows = [Receive::row(Some(&policy))];
            prop_assert_eq!(Receive::of_rows(&rows), Some(policy));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            if let Some(policy) = Receive::decode(&bytes) {
                prop_assert_eq!(Receive::decode(&policy.encode()), Some(policy));
            }
        }
    }

    /// An on-disk format: made by hand from the order of the fields.
    #[test]
    fn the_format_never_changes() {
        let policy = Receive { hold: Hold::From(Msat::from_sat(1).expect("small")), ..Receive::default() };
        let hex = sponte_proto::hex(&policy.encode());
        let (min, max) = ("0000000000000000", "ffffffffffffffff");
        assert_eq!(hex, format!("011f00{min}{max}000005140000003c0000000c0200000000000003e8"));
        assert_eq!(Receive::of_rows(&[Receive::row(None)]), None);
    }

    #[test]
    fn a_row_that_cannot_be_read_is_noticed() {
        let row = Receive::row(Some(&Receive::default()));
        assert!(Receive::is_readable(&[]) && Receive::is_readable(std::slice::from_ref(&row)));
        let newer = SettingRow { value: Some(vec![VERSION + 1]), ..row };
        assert!(!Receive::is_readable(&[newer]));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let sat = Msat::from_sat(1).expect("small");
        assert_eq!(Receive::default().check(), Ok(()));
        let narrow = Receive { min: sat, max: Some(Msat::ZERO), ..Receive::default() };
        assert_eq!(narrow.check(), Err(ReceiveError::NoAmount));
        let hasty = Receive { hold: Hold::All, hold_minutes: 0, ..Receive::default() };
        assert_eq!(hasty.check(), Err(ReceiveError::NoHoldTime));
        assert_eq!(Receive { hold: Hold::None, ..hasty }.check(), Ok(()));
    }
}
