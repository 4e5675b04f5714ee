//! The one shape of an error.

use crate::Code;
use serde::{Deserialize, Serialize};

/// `{"error":{"code":"not_found","message":".."}}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// A word for programs and a line for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ErrorDetail {
    /// What went wrong.
    pub code: Code,
    /// One line that says what to do next.
    pub message: String,
}

impl ErrorDetail {
    /// A code and a line. Line breaks become spaces: a message is one line wherever it is shown.
    pub fn new(code: Code, message: impl Into<String>) -> ErrorDetail {
        let message = message.into();
        let message = match message.contains(['\n', '\r']) {
            true => message.split_whitespace().collect::<Vec<_>>().join(" "),
            false => message,
        };
        ErrorDetail { code, message }
    }
}

impl From<ErrorDetail> for ErrorBody {
    fn from(error: ErrorDetail) -> ErrorBody {
        ErrorBody { error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape() {
        let body = ErrorBody::from(ErrorDetail::new(Code::KeyReused, "take\n another  key"));
        let json = serde_json::to_string(&body).expect("plain data");
        assert_eq!(json, r#"{"error":{"code":"key_reused","message":"take another key"}}"#);
        assert_eq!(serde_json::from_str::<ErrorBody>(&json).expect("read back"), body);
    }
}
