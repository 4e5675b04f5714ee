//! The one type of an error answer, and what becomes one.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sponte_api::{Code, ErrorBody, ErrorDetail, MAX_BODY_BYTES, RecordError};
use sponte_engine::backend::RefusalKind;
use sponte_engine::commit::Failure;
use sponte_node::{AdminError, AuditError, PayError, ReceiveError, WaitError};
use sponte_store::StoreError;
use std::error::Error;

/// An answer that is no answer: a code of the table and a line for people.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(ErrorDetail);

impl ApiError {
    /// A code and one line that says what to do next.
    pub fn new(code: Code, message: impl Into<String>) -> ApiError {
        ApiError(ErrorDetail::new(code, message))
    }

    /// A fault that is none of the caller's: logged, not shown.
    pub fn internal(why: impl std::fmt::Display) -> ApiError {
        tracing::error!("a request failed: {why}");
        ApiError::new(Code::Internal, "the node could not answer; its log says why")
    }

    /// Why a payment would fail, where there is none to say it.
    pub fn unpaid(failure: &Failure) -> ApiError {
        let code = Code::from_word(&failure.code).filter(|code| code.http_status().is_some());
        match code {
            Some(code) => ApiError::new(code, failure.message.clone()),
            None => ApiError::internal(format!("{} is no word for a quote", failure.code)),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let code = self.0.code;
        let status = code.http_status().and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(ErrorBody::from(self.0))).into_response();
        if code == Code::Unauthorized {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        ApiError::internal(error)
    }
}

impl From<PayError> for ApiError {
    fn from(error: PayError) -> ApiError {
        use sponte_engine::PayError as Refused;
        let code = match &error {
            PayError::Refused(refused) => match refused {
                Refused::KeyReused => Code::KeyReused,
                Refused::SelfPayment => Code::SelfPayment,
                Refused::RecordsTooLarge => Code::RecordsTooLarge,
                Refused::Expired => Code::Expired,
                Refused::UnknownPayment => Code::NotFound,
                Refused::Ended(_) => Code::Conflict,
                _ => Code::InvalidRequest,
            },
            PayError::NoInvoice(AdminError::Refused(refusal)) => match refusal.kind {
                RefusalKind::Invalid => Code::InvalidRequest,
                RefusalKind::NotFound | RefusalKind::Unavailable => Code::IssuerUnreachable,
                RefusalKind::Conflict => Code::IssuerRefused,
            },
            PayError::NoInvoice(error) => return error.clone().into(),
            PayError::Busy | PayError::Stopped => Code::Busy,
            _ => return ApiError::internal(error),
        };
        ApiError::new(code, error.to_string())
    }
}

impl From<ReceiveError> for ApiError {
    fn from(error: ReceiveError) -> ApiError {
        use sponte_engine::ReceiveError as Refused;
        let code = match &error {
            ReceiveError::Refused(Refused::UnknownPayment | Refused::UnknownInvoice) => Code::NotFound,
            ReceiveError::Refused(Refused::NotHeld(_) | Refused::InvoiceCanceled) => Code::Conflict,
            ReceiveError::Refused(_) => Code::InvalidRequest,
            ReceiveError::Busy | ReceiveError::Stopped => Code::Busy,
            ReceiveError::Unsigned(error) => return error.clone().into(),
            _ => return ApiError::internal(error),
        };
        ApiError::new(code, error.to_string())
    }
}

impl From<AdminError> for ApiError {
    fn from(error: AdminError) -> ApiError {
        let code = match &error {
            AdminError::Refused(refusal) => match refusal.kind {
                RefusalKind::Invalid => Code::InvalidRequest,
                RefusalKind::NotFound => Code::NotFound,
                RefusalKind::Conflict => Code::Conflict,
                RefusalKind::Unavailable => Code::Unavailable,
            },
            AdminError::Busy | AdminError::Stopped => Code::Busy,
            _ => return ApiError::internal(error),
        };
        ApiError::new(code, error.to_string())
    }
}

impl From<WaitError> for ApiError {
    fn from(error: WaitError) -> ApiError {
        match error {
            WaitError::Unknown => ApiError::new(Code::NotFound, error.to_string()),
            WaitError::Stopped => ApiError::new(Code::Busy, error.to_string()),
            other => ApiError::internal(other),
        }
    }
}

impl From<AuditError> for ApiError {
    fn from(error: AuditError) -> ApiError {
        match error {
            AuditError::Backend(error) => error.into(),
            AuditError::Busy | AuditError::Stopped => ApiError::new(Code::Busy, error.to_string()),
            other => ApiError::internal(other),
        }
    }
}

impl From<RecordError> for ApiError {
    fn from(error: RecordError) -> ApiError {
        ApiError::new(Code::InvalidRequest, format!("{error}; correct the record"))
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> ApiError {
        // axum's own line names types of Rust; what it wraps names the field and the place.
        let why = rejection.source().map_or_else(|| rejection.body_text(), ToString::to_string);
        let (code, message) = match rejection.status() {
            StatusCode::UNPROCESSABLE_ENTITY => (
                Code::Unprocessable,
                format!("the body is not that of this request: {why}; see the API's documentation"),
            ),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => (
                Code::UnsupportedMediaType,
                "the body must be JSON: send it with the header `Content-Type: application/json`".into(),
            ),
            StatusCode::PAYLOAD_TOO_LARGE => (
                Code::TooLarge,
                format!("the body has more than {MAX_BODY_BYTES} bytes, no request needs so many: send less"),
            ),
            _ => (Code::InvalidRequest, format!("the body cannot be read as JSON: {why}; correct it")),
        };
        ApiError::new(code, message)
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> ApiError {
        let message = format!("{}; see the API's documentation", rejection.body_text());
        ApiError::new(Code::InvalidRequest, message)
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> ApiError {
        let message = format!("{}; see the API's documentation", rejection.body_text());
        ApiError::new(Code::InvalidRequest, message)
    }
}
