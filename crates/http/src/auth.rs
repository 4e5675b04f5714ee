//! The bearer token (RFC 6750).

use crate::error::ApiError;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sponte_api::Code;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Lets a request through that carries the token.
pub(crate) async fn check(State(token): State<Arc<str>>, request: Request, next: Next) -> Response {
    if carries(request.headers(), &token) {
        return next.run(request).await;
    }
    let message =
        "send the header `Authorization: Bearer` with the text of the file `token` in the node's folder";
    ApiError::new(Code::Unauthorized, message).into_response()
}

/// Compares in a time that tells nothing but the token's length.
fn carries(headers: &HeaderMap, token: &str) -> bool {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return false };
    let Some((scheme, given)) = value.as_bytes().split_at_checked(7) else { return false };
    // An empty token would let in whoever sends none.
    scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty() && bool::from(given.ct_eq(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_the_token_lets_in() {
        let with = |value: &'static [u8], token: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(value).expect("a header"));
            carries(&headers, token)
        };
        assert!(with(b"Bearer secret", "secret"));
        assert!(with(b"bearer secret", "secret"));
        for wrong in
            [&b""[..], b"Bearer", b"Bearer ", b"Bearer secre", b"Bearer secretx", b"Basic secret", b"\xff"]
        {
            assert!(!with(wrong, "secret"), "{wrong:?}");
        }
        assert!(!with(b"Bearer ", ""));
        assert!(!carries(&HeaderMap::new(), "secret"));
    }
}
