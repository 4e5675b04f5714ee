//! Extractors whose refusals have the one shape.

use crate::error::ApiError;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use sponte_api::Code;
use std::fmt::Display;
use std::str::FromStr;

/// A body.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, ApiError> {
        let axum::Json(body) = axum::Json::from_request(request, state).await?;
        Ok(Body(body))
    }
}

/// The part behind the question mark.
pub(crate) struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Asked<T>, ApiError> {
        let Query(query) = Query::from_request_parts(parts, state).await?;
        Ok(Asked(query))
    }
}

/// The identifier in the path.
pub(crate) struct Id<T>(pub T);

impl<T: FromStr<Err: Display>, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Id<T>, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await?;
        text.parse().map(Id).map_err(|why| {
            ApiError::new(Code::InvalidRequest, format!("the id in the path is none: {why}; correct it"))
        })
    }
}
