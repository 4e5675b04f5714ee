//! HTTP basic auth.

use axum::http::{HeaderMap, header};
use bitcoin::base64::Engine;
use bitcoin::base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

/// The one user who may call.
pub(crate) struct Credentials {
    expected: Vec<u8>,
}

impl Credentials {
    pub(crate) fn new(user: &str, password: &str) -> Self {
        Self { expected: format!("{user}:{password}").into_bytes() }
    }

    /// Whether the request carries the right user and password.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|encoded| STANDARD.decode(encoded.trim()).ok());
        given.is_some_and(|given| given.ct_eq(&self.expected).into())
    }
}
