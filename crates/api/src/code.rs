//! What can go wrong, as one table: word, HTTP status, exit code of the command.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $word:literal, $status:tt, $exit:literal;)+) => {
        /// What went wrong.
        ///
        /// The word stands in [`ErrorDetail`](crate::ErrorDetail); the status is the answer's;
        /// the exit code is that of the command, which says more in one line on stderr. Codes
        /// without a status are no answer's: they arise in the command itself, or stand in a
        /// payment that failed ([`Failure`](crate::Failure)).
        ///
        /// | word | HTTP status | exit code |
        /// |---|---|---|
        $(#[doc = concat!("| `", $word, "` | ", stringify!($status), " | ", $exit, " |")])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])+ #[serde(rename = $word)] $variant,)+
        }

        impl Code {
            /// All of them, in the order of the table.
            pub const ALL: &[Code] = &[$(Code::$variant),+];

            /// The word in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $word),+ }
            }

            /// Reads the word back; `None` for any other.
            pub fn from_word(word: &str) -> Option<Code> {
                match word { $($word => Some(Code::$variant),)+ _ => None }
            }

            /// The status of an HTTP answer; `None` for what only the command can say.
            pub const fn http_status(self) -> Option<u16> {
                match self { $(Code::$variant => codes!(@status $status)),+ }
            }

            /// The exit code of the command.
            pub const fn exit_code(self) -> u8 {
                match self { $(Code::$variant => $exit),+ }
            }

            /// What it means, in one line for people.
            pub fn meaning(self) -> String {
                let lines: &[&str] = match self { $(Code::$variant => &[$($doc),+]),+ };
                lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
            }
        }
    };
    (@status none) => { None };
    (@status $status:literal) => { Some($status) };
}

codes! {
    /// Something that should not happen; the node's log says what.
    Internal = "internal", 500, 1;
    /// The command line is wrong; --help shows how it is written.
    Usage = "usage", none, 2;
    /// The request makes no sense, whatever the state of the node.
    InvalidRequest = "invalid_request", 400, 2;
    /// The body is JSON, but not that of this request.
    Unprocessable = "unprocessable", 422, 2;
    /// The path exists, but not with this method.
    MethodNotAllowed = "method_not_allowed", 405, 2;
    /// The body is larger than any request needs.
    TooLarge = "too_large", 413, 2;
    /// The body is not announced as application/json.
    UnsupportedMediaType = "unsupported_media_type", 415, 2;
    /// The token is missing or wrong.
    Unauthorized = "unauthorized", 401, 3;
    /// No such payment, channel, peer or path.
    NotFound = "not_found", 404, 4;
    /// The state does not allow it now: too little money, not connected.
    Conflict = "conflict", 409, 5;
    /// The payment's key was used before with other arguments.
    KeyReused = "key_reused", 409, 6;
    /// A peer did not answer, or refused.
    Unavailable = "unavailable", 503, 7;
    /// The node is starting, stopping or has too much to do.
    Busy = "busy", 503, 8;
    /// No answer came: what was asked for may be done, so look before you repeat it.
    Unanswered = "unanswered", none, 9;
    /// No node runs on this directory.
    NoNode = "no_node", none, 10;
    /// A setting is missing, wrong or contradicts another.
    BadConfig = "bad_config", none, 11;
    /// The directory holds no node yet.
    NotInitialised = "not_initialised", none, 12;
    /// The directory holds a node already, which is never overwritten.
    AlreadyInitialised = "already_initialised", none, 13;
    /// Another process uses the directory.
    Locked = "locked", none, 14;
    /// Another process listens on the port.
    PortInUse = "port_in_use", none, 15;
    /// bitcoind refuses the user, the password or the cookie, or serves another chain.
    ChainRefused = "chain_refused", none, 16;
    /// bitcoind answers, but not as it must.
    ChainUnusable = "chain_unusable", none, 17;
    /// The disk is full, broken or not writable; what was committed is kept.
    Storage = "storage", none, 18;
    /// The database is missing, unreadable, or of a newer version.
    Database = "database", none, 19;
    /// The channels cannot send so much and its fee: pay less, open a channel, or wait for payments
    /// in flight.
    InsufficientBalance = "insufficient_balance", 409, 20;
    /// A channel could send it, but its peer is not connected; a payment waits for that until its
    /// timeout.
    PeersOffline = "peers_offline", 503, 20;
    /// Every route costs more than the limit: the line names the fee of the cheapest.
    FeeLimitTooLow = "fee_limit_too_low", 409, 20;
    /// The destination is known, and no route to it carries the amount: try less, more parts, or a
    /// channel closer to it.
    NoRoute = "no_route", 409, 20;
    /// The destination is neither in the public graph nor a peer, or no point on the curve: check
    /// the id, wait for gossip, or give a route hint.
    UnknownDestination = "unknown_destination", 404, 20;
    /// The records do not fit into an onion beside the route: send less.
    RecordsTooLarge = "records_too_large", 400, 20;
    /// The destination is this node.
    SelfPayment = "self_payment", 400, 20;
    /// The invoice has expired: ask for a new one.
    Expired = "expired", 410, 20;
    /// The issuer of the offer cannot be reached, or did not answer in time: try again later.
    IssuerUnreachable = "issuer_unreachable", 503, 20;
    /// The issuer of the offer gave no invoice, or a wrong one: the line says why.
    IssuerRefused = "issuer_refused", 409, 20;
    /// The destination itself failed the payment: the line says what it refused, and with which code.
    RecipientRefused = "recipient_refused", none, 20;
    /// The last node before the destination could not reach it: it is probably offline.
    RecipientOffline = "recipient_offline", none, 20;
    /// Nodes on the way failed every attempt that was allowed: try later, or allow more.
    AttemptsExhausted = "attempts_exhausted", none, 20;
    /// No attempt succeeded in time: try again, or wait longer.
    Timeout = "timeout", none, 20;
    /// Somebody wanted no further attempt; of a payment to this node, its receiver gave it back.
    Canceled = "canceled", none, 20;
    /// The payment failed for a reason that this version has no word for; the line says it.
    PaymentFailed = "payment_failed", none, 20;
    /// The time is over while an HTLC is pending: the payment may still be paid.
    StillInFlight = "still_in_flight", none, 21;
    /// The books do not agree with the channels or with themselves.
    AuditFailed = "audit_failed", none, 22;
    /// A step of the demo did not go as it should, or the demo was interrupted.
    DemoFailed = "demo_failed", none, 23;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_are_unique_and_read_back() {
        let words: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            let json = serde_json::to_string(code).expect("a word");
            assert_eq!(json, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<Code>(&json).expect("read back"), *code);
            assert_eq!(Code::from_word(code.as_str()), Some(*code));
        }
    }

    #[test]
    fn no_code_exits_as_success_or_as_a_signal_would() {
        for code in Code::ALL {
            assert!((1..100).contains(&code.exit_code()), "{code}");
            assert!(code.http_status().is_none_or(|status| (400..600).contains(&status)), "{code}");
        }
    }

    #[test]
    fn one_exit_code_per_trouble_that_a_script_may_meet() {
        let mut seen = BTreeSet::new();
        // Why a payment failed is told by its word: all of them mean that nobody was paid.
        let unpaid = Code::PaymentFailed.exit_code();
        for code in Code::ALL.iter().filter(|code| code.exit_code() > 2 && code.exit_code() != unpaid) {
            // A request that may be tried again unchanged later is one case.
            assert!(seen.insert(code.exit_code()), "{code} shares its exit code");
        }
    }

    /// The page is written by hand, and has the words of this table, each once.
    #[test]
    fn the_page_of_errors_is_this_table() {
        let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md"));
        for code in Code::ALL {
            let status = code.http_status().map_or_else(|| "-".into(), |status| status.to_string());
            let start = format!("| `{code}` | {status} | {} | ", code.exit_code());
            let lines: Vec<&str> =
                page.lines().filter(|line| line.starts_with(&format!("| `{code}` | "))).collect();
            assert_eq!(lines, [format!("{start}{} |", code.meaning())], "{code}");
        }
    }

    #[test]
    fn every_code_says_what_it_means() {
        for code in Code::ALL {
            assert!(code.meaning().ends_with('.'), "{code}: {}", code.meaning());
        }
    }
}
