//! Values of the commands that pay: parsers whose errors fit into one line.

use sponte_api::{Kind, RouteHint};
use sponte_proto::Msat;
use std::str::FromStr;

/// What the routes may cost: an amount, or a share of what is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxFee {
    /// So much.
    Amount(Msat),
    /// So many millionths.
    Share(u32),
}

impl FromStr for MaxFee {
    type Err = String;

    fn from_str(text: &str) -> Result<MaxFee, String> {
        match text.strip_suffix('%') {
            Some(percent) => share(percent.trim_end()).map(MaxFee::Share),
            None => text.parse().map(MaxFee::Amount).map_err(|why| format!("{why}, or a share such as 0.5%")),
        }
    }
}

/// A number with up to four decimal places, as millionths.
fn share(percent: &str) -> Result<u32, String> {
    let wrong = || format!("`{percent}%` is not a share: write for example 1% or 0.25%, up to 1000%");
    let (whole, fraction) = percent.split_once('.').unwrap_or((percent, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 4 {
        return Err(wrong());
    }
    let ppm: u32 = format!("{whole}{fraction:0<4}").parse().map_err(|_| wrong())?;
    if ppm > 10_000_000 { Err(wrong()) } else { Ok(ppm) }
}

/// A kind that needs no invoice.
pub fn kind(text: &str) -> Result<Kind, String> {
    const KINDS: [Kind; 4] = [Kind::Keysend, Kind::MppKeysend, Kind::Amp, Kind::Ecdh];
    KINDS
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| format!("`{text}` is none of {}", KINDS.map(Kind::as_str).join(", ")))
}

/// A way to a destination that the network does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint(pub Vec<RouteHint>);

impl FromStr for Hint {
    type Err = String;

    fn from_str(text: &str) -> Result<Hint, String> {
        text.split(',').map(hop).collect::<Result<_, _>>().map(Hint)
    }
}

/// `NODE:CHANNEL:BASE_MSAT:PPM:BLOCKS`
fn hop(text: &str) -> Result<RouteHint, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let [node, channel, base, ppm, blocks] = parts[..] else {
        return Err(format!(
            "`{text}` is no hop: write NODE:SCID:BASE_MSAT:PPM:CLTV, with commas between hops"
        ));
    };
    let number = |name: &str, digits: &str, most: u64| {
        let wrong = || format!("`{digits}` is no {name}: write a whole number up to {most}");
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u64>().ok().filter(|number| plain && *number <= most).ok_or_else(wrong)
    };
    let base = number("base fee in msat", base, u32::MAX.into())?;
    let ppm = number("fee in millionths", ppm, u32::MAX.into())?;
    let blocks = number("difference of blocks", blocks, u16::MAX.into())?;
    Ok(RouteHint {
        node: node.parse().map_err(|why| format!("not a node id: {why}; write 66 hex digits"))?,
        short_channel_id: channel.parse().map_err(|why| format!("{why}"))?,
        fee_base_msat: Msat::new(base).expect("32 bits are less than the supply"),
        fee_ppm: u32::try_from(ppm).expect("checked"),
        cltv_delta: u16::try_from(blocks).expect("checked"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NODE: &str = "021111111111111111111111111111111111111111111111111111111111111111";

    #[test]
    fn a_fee_limit_is_an_amount_or_a_share() {
        let parse = |text: &str| text.parse::<MaxFee>();
        assert_eq!(parse("5sat"), Ok(MaxFee::Amount(Msat::from_sat(5).expect("small"))));
        for (text, ppm) in
            [("1%", 10_000), ("0.5%", 5_000), ("0.0001%", 1), ("0%", 0), ("1000 %", 10_000_000)]
        {
            assert_eq!(parse(text), Ok(MaxFee::Share(ppm)), "{text}");
        }
        for bad in ["%", "-1%", "1.%", ".5%", "0.00001%", "1001%", "99999999999%", "1%%", "+1%"] {
            assert!(parse(bad).expect_err(bad).contains("0.25%"), "{bad}");
        }
        let bare = parse("1").expect_err("no unit");
        assert!(bare.contains("has no unit") && bare.contains("0.5%"), "{bare}");
    }

    #[test]
    fn kinds_that_need_no_invoice() {
        assert_eq!(kind("mpp-keysend"), Ok(Kind::MppKeysend));
        for bad in ["bolt11", "amp-invoice", "Keysend", ""] {
            assert!(kind(bad).expect_err(bad).contains("keysend, mpp-keysend, amp, ecdh"), "{bad}");
        }
    }

    #[test]
    fn a_hint_is_hops_with_commas_between() {
        let text = format!("{NODE}:1x2x3:1000:20:40,{NODE}:4x5x6:0:0:144");
        let Hint(hops) = text.parse().expect("two hops");
        assert_eq!(hops.len(), 2);
        let first = &hops[0];
        assert_eq!(first.short_channel_id.to_string(), "1x2x3");
        assert_eq!((first.fee_base_msat.to_msat(), first.fee_ppm, first.cltv_delta), (1_000, 20, 40));
        for (bad, why) in [
            (String::new(), "NODE:SCID"),
            (format!("{NODE}:1x2x3:1000:20"), "NODE:SCID"),
            (format!("{NODE}:1x2x3:1000:20:40,"), "NODE:SCID"),
            ("02:1x2x3:1000:20:40".into(), "66 hex digits"),
            (format!("{NODE}:7:1000:20:40"), "short channel id"),
            (format!("{NODE}:1x2x3:1sat:20:40"), "base fee"),
            (format!("{NODE}:1x2x3:4294967296:20:40"), "base fee"),
            (format!("{NODE}:1x2x3:1:+2:40"), "millionths"),
            (format!("{NODE}:1x2x3:1:2:65536"), "blocks"),
        ] {
            let error = bad.parse::<Hint>().expect_err(&bad);
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", parts in proptest::collection::vec("[0-9x]{0,20}", 0..6)) {
            let _ = (text.parse::<MaxFee>(), format!("{text}%").parse::<MaxFee>(), kind(&text));
            let _ = text.parse::<Hint>();
            let _ = format!("{NODE}:{}", parts.join(":")).parse::<Hint>();
        }

        #[test]
        fn shares_round_trip(ppm in 0u32..=10_000_000) {
            let text = format!("{}.{:04}%", ppm / 10_000, ppm % 10_000);
            prop_assert_eq!(text.parse::<MaxFee>(), Ok(MaxFee::Share(ppm)));
        }
    }
}
