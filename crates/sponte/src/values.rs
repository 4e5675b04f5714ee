//! Values of the command line: parsers whose errors fit into one line.

use sponte_api::{Hold, RecordInput};
use sponte_proto::{Msat, NodeId, ParseAmountError, Sat, unhex};
use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

/// `<node id>` or `<node id>@<host>:<port>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAddress {
    /// The public key.
    pub id: NodeId,
    /// `host:port`, if it was given.
    pub address: Option<String>,
}

impl FromStr for NodeAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<NodeAddress, String> {
        let (id, address) = match text.split_once('@') {
            Some((id, address)) => (id, Some(host_and_port(address)?)),
            None => (text, None),
        };
        let id = id.parse().map_err(|why| format!("not a node id: {why}; write 66 hex digits"))?;
        Ok(NodeAddress { id, address })
    }
}

fn host_and_port(text: &str) -> Result<String, String> {
    let shape =
        || format!("`{text}` is not host:port; write for example 203.0.113.5:9735 or [2001:db8::1]:9735");
    let (host, port) = text.rsplit_once(':').ok_or_else(shape)?;
    let port: u16 = port.parse().map_err(|_| shape())?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let plain =
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let v6 = bracketed && host[1..host.len() - 1].parse::<std::net::Ipv6Addr>().is_ok();
    if port == 0 || !(plain || v6) {
        return Err(shape());
    }
    Ok(text.to_owned())
}

/// `TYPE=hex:..`, `TYPE=text:..` or `TYPE=json:..`.
pub fn record(text: &str) -> Result<RecordInput, String> {
    let (kind, value) = text.split_once('=').ok_or("write TYPE=VALUE, for example 696969=text:hello")?;
    let kind: u64 =
        kind.parse().map_err(|_| format!("`{kind}` is not a record type; write a number from 65536 up"))?;
    let bytes = match value.split_once(':') {
        Some(("hex", digits)) => unhex(digits).map_err(|why| format!("bad hex: {why}"))?,
        Some(("text", text)) => text.as_bytes().to_vec(),
        Some(("json", json)) => {
            serde_json::from_str::<serde::de::IgnoredAny>(json).map_err(|why| format!("bad JSON: {why}"))?;
            json.as_bytes().to_vec()
        }
        _ => return Err("say what the value is: hex:.., text:.. or json:..".into()),
    };
    let input = RecordInput::bytes(kind, &bytes);
    input.to_record().map_err(|why| why.to_string())?;
    Ok(input)
}

/// `500ms`, `60s`, `5m` or `1h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let millis_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" if !number.is_empty() => {
            return Err(format!("`{text}` has no unit: write `{text}s` or `{text}m`"));
        }
        _ => return Err(format!("`{text}` is not a time: write for example `500ms`, `60s` or `5m`")),
    };
    let too_long = || format!("`{text}` is more than a day");
    let number: u64 =
        number.parse().map_err(|_| format!("`{text}` is not a time: write for example `60s`"))?;
    let millis = number.checked_mul(millis_per_unit).ok_or_else(too_long)?;
    if millis > 24 * 3_600_000 { Err(too_long()) } else { Ok(Duration::from_millis(millis)) }
}

/// As [`duration`], also in days, from a minute to ten years.
pub fn expiry(text: &str) -> Result<Duration, String> {
    let seconds = match text.strip_suffix('d').map(str::parse::<u64>) {
        Some(days) => {
            let days = days.map_err(|_| format!("`{text}` is not a time: write for example `30d`"))?;
            days.saturating_mul(86_400)
        }
        None => {
            duration(text).map_err(|why| why.replace("is more than a day", "is long: write days"))?.as_secs()
        }
    };
    match seconds {
        60..=315_360_000 => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("`{text}` is less than a minute or more than ten years")),
    }
}

/// A payment address: 64 hex digits.
pub fn payment_addr(text: &str) -> Result<String, String> {
    match unhex(text) {
        Ok(bytes) if bytes.len() == 32 => Ok(text.to_owned()),
        _ => Err("a payment address is 64 hex digits; the list shows it".into()),
    }
}

/// A limit that may be lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmountOrAny(pub Option<Msat>);

/// An amount, or `any`.
pub fn amount_or_any(text: &str) -> Result<AmountOrAny, String> {
    match text {
        "any" => Ok(AmountOrAny(None)),
        text => {
            text.parse().map(|amount| AmountOrAny(Some(amount))).map_err(|why| format!("{why}; or `any`"))
        }
    }
}

/// Which payments are held: `none`, `all`, an amount, or record types with commas between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldValue(pub Hold);

impl FromStr for HoldValue {
    type Err = String;

    fn from_str(text: &str) -> Result<HoldValue, String> {
        let types =
            || text.split(',').map(|kind| kind.trim().parse().ok()).collect::<Option<BTreeSet<u64>>>();
        Ok(HoldValue(match text {
            "none" => Hold::None,
            "all" => Hold::All,
            // An amount has a unit.
            _ => match (types(), text.parse()) {
                (Some(types), _) => Hold::Records(types),
                (None, Ok(least)) => Hold::From(least),
                (None, Err(_)) => {
                    return Err(format!(
                        "`{text}` is none of none, all, an amount such as 1000sat, or record types such as 696969"
                    ));
                }
            },
        }))
    }
}

/// How much of the wallet to send: an amount, or `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coins {
    /// So much.
    Amount(Sat),
    /// All that may leave.
    All,
}

impl FromStr for Coins {
    type Err = String;

    fn from_str(text: &str) -> Result<Coins, String> {
        match text {
            "all" => Ok(Coins::All),
            text => sat(text).map(Coins::Amount),
        }
    }
}

/// An amount on the chain.
pub fn sat(text: &str) -> Result<Sat, String> {
    text.parse().map_err(|why: ParseAmountError| why.to_string())
}

/// Satoshi per virtual byte, up to three decimal places, as satoshi per 1,000 virtual bytes.
pub fn fee_rate(text: &str) -> Result<Sat, String> {
    let wrong =
        || format!("`{text}` is not a fee rate: write satoshi per virtual byte, for example 2 or 1.5");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 3 {
        return Err(wrong());
    }
    let per_kvb: u64 = format!("{whole}{fraction:0<3}").parse().map_err(|_| wrong())?;
    match per_kvb {
        0 => Err("a transaction that pays no fee is not relayed: write 1 or more".into()),
        1..=10_000_000 => Sat::new(per_kvb).ok_or_else(wrong),
        _ => Err(format!("`{text}` satoshi per virtual byte is more than 10000, surely a mistake")),
    }
}

/// An idempotency key: printable ASCII, and short enough for a column.
pub fn key(text: &str) -> Result<String, String> {
    if !(1..=128).contains(&text.len()) || !text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return Err("a key is 1 to 128 printable ASCII characters".into());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "021111111111111111111111111111111111111111111111111111111111111111";

    #[test]
    fn node_addresses() {
        let parse = |text: String| text.parse::<NodeAddress>();
        assert_eq!(parse(ID.into()).expect("an id").address, None);
        for good in ["127.0.0.1:9735", "node.example:1", "[::1]:9735"] {
            assert_eq!(parse(format!("{ID}@{good}")).expect(good).address.as_deref(), Some(good));
        }
        for bad in
            ["", "host", "host:", ":1", "host:0", "host:99999", "a b:1", "::1:9735", "[zz]:1", "h/x:1", "["]
        {
            assert!(parse(format!("{ID}@{bad}")).expect_err(bad).contains("host:port"), "{bad}");
        }
        assert!(parse("0211".into()).expect_err("short").contains("66 hex digits"));
    }

    #[test]
    fn records_say_what_they_are() {
        let value = |text: &str| record(text).expect(text).value_hex.expect("as hex");
        assert_eq!(value("70000=hex:00fF"), "00ff");
        assert_eq!(value("70000=text:a:b=c"), sponte_proto::hex(b"a:b=c"));
        assert_eq!(value("7629169=json:{\"a\": 1}"), sponte_proto::hex(b"{\"a\": 1}"));
        for (bad, why) in [
            ("70000", "TYPE=VALUE"),
            ("x=hex:00", "number"),
            ("70000=00", "hex:.., text:.. or json:.."),
            ("70000=hex:0", "bad hex"),
            ("70000=json:{", "bad JSON"),
            ("8=hex:00", "below 65536"),
            ("5482373484=hex:00", "set by the payment itself"),
        ] {
            assert!(record(bad).expect_err(bad).contains(why), "{bad}: {:?}", record(bad));
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert!(duration("60").expect_err("no unit").contains("`60s`"));
        for bad in ["", "s", "1.5s", "-1s", "1 s", "99999999999999999999h", "18446744073709551615h", "25h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fee_rates() {
        assert_eq!(fee_rate("2").map(Sat::to_sat), Ok(2000));
        assert_eq!(fee_rate("1.5").map(Sat::to_sat), Ok(1500));
        assert_eq!(fee_rate("0.253").map(Sat::to_sat), Ok(253));
        for bad in ["", "0", "-1", "1e3", "1.2345", ".5", "1.", "10001", "99999999999999999999"] {
            assert!(fee_rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn coins() {
        assert_eq!("all".parse(), Ok(Coins::All));
        assert!("5".parse::<Coins>().expect_err("no unit").contains("no unit"));
        for fine in ["1500msat", "0.5sat", "0.5msat"] {
            assert!(fine.parse::<Coins>().expect_err(fine).contains("finer than one sat"));
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = text.parse::<NodeAddress>();
            let _ = format!("{ID}@{text}").parse::<NodeAddress>();
            let _ = (record(&text), record(&format!("70000={text}")), duration(&text), fee_rate(&text), key(&text));
        }

        #[test]
        fn durations_round_trip(millis in 0u64..=86_400_000) {
            prop_assert_eq!(duration(&format!("{millis}ms")), Ok(Duration::from_millis(millis)));
        }
    }
}
