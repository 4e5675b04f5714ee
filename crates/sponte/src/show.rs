//! How amounts, times and bytes look to people.

use sponte_proto::{Msat, Timestamp};
use std::time::Duration;

/// Digits in groups of three: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1,234 sat`, with as many decimal places as there are millisatoshi.
pub fn amount(amount: Msat) -> String {
    let msat = amount.to_msat();
    let whole = grouped(msat / 1000);
    match msat % 1000 {
        0 => format!("{whole} sat"),
        rest => format!("{whole}.{} sat", format!("{rest:03}").trim_end_matches('0')),
    }
}

/// The beginning of a text, in one line.
pub fn message(text: Option<&str>) -> String {
    let text = text.unwrap_or_default().replace(['\n', '\t'], " ");
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// `2025-01-31 23:59:58`, UTC.
pub fn time(time: Timestamp) -> String {
    let seconds = time.to_millis() / 1000;
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// The date of a day since the Unix epoch, in the Gregorian calendar: eras of 400 years that
/// start in March, so that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// `12 ms`, `3.4 s`, `5 min`, `6 h`, `7 d`.
pub fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3_600 => format!("{} min", duration.as_secs() / 60),
        3_600..86_400 => format!("{} h", duration.as_secs() / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// The first and last digits of a long identifier.
pub fn short(id: &str) -> String {
    match (id.get(..8), id.get(id.len().saturating_sub(4)..)) {
        (Some(start), Some(end)) if id.len() > 14 => format!("{start}…{end}"),
        _ => id.to_owned(),
    }
}

/// Text that may come from a stranger, without what could confuse a terminal.
pub fn harmless(text: &str) -> String {
    let replaced = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c };
    text.chars().map(replaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts() {
        let show = |msat| amount(Msat::new(msat).expect("in supply"));
        assert_eq!(show(0), "0 sat");
        assert_eq!(show(1_234_567_000), "1,234,567 sat");
        assert_eq!(show(1_050), "1.05 sat");
        assert_eq!(show(1), "0.001 sat");
    }

    #[test]
    fn times() {
        let show = |seconds: u64| time(Timestamp::from_millis(seconds * 1000));
        assert_eq!(show(0), "1970-01-01 00:00:00");
        assert_eq!(show(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(show(1_709_251_199), "2024-02-29 23:59:59");
        assert_eq!(show(1_735_689_600), "2025-01-01 00:00:00");
        assert_eq!(show(4_107_542_400), "2100-03-01 00:00:00");
    }

    #[test]
    fn durations() {
        assert_eq!(duration(Duration::from_millis(12)), "12 ms");
        assert_eq!(duration(Duration::from_millis(3_400)), "3.4 s");
        assert_eq!(duration(Duration::from_secs(7_300)), "2 h");
    }

    #[test]
    fn short_ids() {
        assert_eq!(short(&"ab".repeat(32)), "abababab…abab");
        assert_eq!(short("abc"), "abc");
    }

    proptest! {
        #[test]
        fn groups_lose_nothing(number: u64) {
            prop_assert_eq!(grouped(number).replace(',', ""), number.to_string());
        }

        #[test]
        fn days_follow_each_other(day in 0u64..1_000_000) {
            let (today, tomorrow) = (civil(day), civil(day + 1));
            prop_assert!(today < tomorrow && (1..=12).contains(&today.1) && (1..=31).contains(&today.2));
        }

        #[test]
        fn nothing_left_for_a_terminal_to_obey(text: String) {
            prop_assert!(harmless(&text).chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
            short(&text);
        }
    }
}
