//! Amounts as people write them: `50sat`, `50000msat`, `0.5btc`.

use crate::{Msat, Sat};
use alloc::{borrow::ToOwned, format, string::String};
use core::str::FromStr;

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseAmountError {
    /// A number without a unit; which unit was meant is not guessed, since a mistake costs
    /// a factor of 1,000.
    #[error("`{0}` has no unit: write `{0}sat`, `{0}msat` or `{0}btc`")]
    NoUnit(String),
    /// Neither `msat`, `sat` nor `btc` behind the number.
    #[error("`{0}` is not an amount: write for example `50sat`, `50000msat` or `0.5btc`")]
    Malformed(String),
    /// Digits below one millisatoshi.
    #[error("`{0}` is finer than one msat")]
    TooFine(String),
    /// Digits below one satoshi, where the chain is paid.
    #[error("`{0}` is finer than one sat: the chain has whole ones only")]
    NotWholeSat(String),
    /// More than the money supply.
    #[error("`{0}` is more than 21,000,000 btc")]
    TooLarge(String),
}

impl FromStr for Msat {
    type Err = ParseAmountError;

    fn from_str(text: &str) -> Result<Msat, ParseAmountError> {
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let malformed = || ParseAmountError::Malformed(text.to_owned());
        // Decimal places down to one msat.
        let places = match unit {
            "msat" => 0,
            "sat" => 3,
            "btc" => 11,
            "" if !number.is_empty() && number.bytes().any(|b| b.is_ascii_digit()) => {
                return Err(ParseAmountError::NoUnit(text.to_owned()));
            }
            _ => return Err(malformed()),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || fraction.contains('.') || (number.contains('.') && fraction.is_empty()) {
            return Err(malformed());
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > places {
            return Err(ParseAmountError::TooFine(text.to_owned()));
        }
        let too_large = || ParseAmountError::TooLarge(text.to_owned());
        let digits = format!("{whole}{fraction:0<places$}");
        let msat: u64 = digits.parse().map_err(|_| too_large())?;
        Msat::new(msat).ok_or_else(too_large)
    }
}

impl FromStr for Sat {
    type Err = ParseAmountError;

    /// As [`Msat`], but refuses what is not a whole number of satoshi.
    fn from_str(text: &str) -> Result<Sat, ParseAmountError> {
        let not_whole = || ParseAmountError::NotWholeSat(text.to_owned());
        let msat: Msat = text.parse().map_err(|why| match why {
            ParseAmountError::TooFine(_) => not_whole(),
            why => why,
        })?;
        if !msat.to_msat().is_multiple_of(1000) {
            return Err(not_whole());
        }
        Ok(msat.truncate_to_sat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn every_unit() {
        for (text, msat) in [
            ("50sat", 50_000),
            ("50000msat", 50_000),
            ("0.5btc", 50_000_000_000),
            ("1.5sat", 1_500),
            ("0.00000000001btc", 1),
            ("0msat", 0),
            ("21000000btc", Msat::MAX.to_msat()),
        ] {
            assert_eq!(text.parse(), Ok(Msat::new(msat).expect("in supply")), "{text}");
        }
    }

    #[test]
    fn refusals_say_why() {
        let parse = |t: &str| t.parse::<Msat>().expect_err(t);
        assert!(matches!(parse("50"), ParseAmountError::NoUnit(_)));
        assert!(matches!(parse("0.5msat"), ParseAmountError::TooFine(_)));
        assert!(matches!(parse("21000001btc"), ParseAmountError::TooLarge(_)));
        assert!(matches!(parse("99999999999999999999999sat"), ParseAmountError::TooLarge(_)));
        for text in ["", "sat", ".5sat", "5.sat", "1.2.3sat", "-1sat", "1 sat", "1SAT", "1e3sat", "٣sat"] {
            assert!(matches!(parse(text), ParseAmountError::Malformed(_)), "{text}");
        }
        assert!(matches!("1500msat".parse::<Sat>(), Err(ParseAmountError::NotWholeSat(_))));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(msat in 0..=Msat::MAX.to_msat()) {
            let amount = Msat::new(msat).expect("in supply");
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Msat>();
        }
    }
}
