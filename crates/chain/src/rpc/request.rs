//! The envelope of JSON-RPC 1.0 and 2.0.

use serde_json::{Map, Value, json};

use super::error::{INVALID_REQUEST, RpcError};

/// Which version a request speaks, and its answer with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// 1.0, or no version: errors have HTTP statuses of their own.
    One,
    /// 2.0: errors are answers like any other.
    Two,
}

impl Version {
    /// An answer to a request without an id has none.
    pub(crate) fn success(self, result: Value, id: Option<Value>) -> Value {
        let answer = match self {
            Self::One => json!({ "result": result, "error": null }),
            Self::Two => json!({ "jsonrpc": "2.0", "result": result }),
        };
        with_id(answer, id)
    }

    pub(crate) fn failure(self, error: &RpcError, id: Option<Value>) -> Value {
        let error = error.to_json();
        let answer = match self {
            Self::One => json!({ "result": null, "error": error }),
            Self::Two => json!({ "jsonrpc": "2.0", "error": error }),
        };
        with_id(answer, id)
    }
}

fn with_id(mut answer: Value, id: Option<Value>) -> Value {
    if let Some(id) = id {
        answer["id"] = id;
    }
    answer
}

/// A call.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) version: Version,
    pub(crate) id: Option<Value>,
    pub(crate) method: String,
    /// An array, an object, or null.
    pub(crate) params: Value,
}

impl Request {
    /// # Errors
    /// What is wrong, and how to say so: the version and the id as far as they were understood.
    pub(crate) fn parse(mut fields: Map<String, Value>) -> Result<Self, (RpcError, Version, Option<Value>)> {
        let id = fields.remove("id");
        let invalid = |version, message: &str| {
            let error = RpcError::new(INVALID_REQUEST, message);
            Err((error, version, id.clone()))
        };
        let version = match fields.get("jsonrpc") {
            None | Some(Value::Null) => Version::One,
            Some(Value::String(version)) if version == "1.0" => Version::One,
            Some(Value::String(version)) if version == "2.0" => Version::Two,
            Some(Value::String(_)) => {
                return invalid(Version::One, "JSON-RPC version not supported");
            }
            Some(_) => return invalid(Version::One, "jsonrpc field must be a string"),
        };
        let method = match fields.remove("method") {
            Some(Value::String(method)) => method,
            None | Some(Value::Null) => return invalid(version, "Missing method"),
            Some(_) => return invalid(version, "Method must be a string"),
        };
        let params = fields.remove("params").unwrap_or_default();
        if !(params.is_array() || params.is_object() || params.is_null()) {
            return invalid(version, "Params must be an array or object");
        }
        Ok(Self { version, id, method, params })
    }

    /// Whether nobody waits for an answer: 2.0 without an id.
    pub(crate) fn is_notification(&self) -> bool {
        self.version == Version::Two && self.id.is_none()
    }
}
