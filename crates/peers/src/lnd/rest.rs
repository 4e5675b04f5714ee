//! Plain HTTP to LND's REST API. Bytes are base64 there, and 64-bit numbers strings.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::Value;
use std::time::Duration;

pub(super) struct Rest {
    base: String,
    client: reqwest::Client,
}

impl Rest {
    pub fn new(port: u16) -> Rest {
        // A payment may take minutes; nothing takes longer.
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(400)).build();
        Rest { base: format!("http://127.0.0.1:{port}"), client: client.expect("no TLS to set up") }
    }

    /// What it answers, or its message.
    pub async fn get(&self, path: &str) -> Result<Value, String> {
        let answers = answers(self.client.get(format!("{}{path}", self.base))).await?;
        single(answers)
    }

    /// What it answers, or its message.
    pub async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        single(self.stream(path, body).await?)
    }

    /// All that it answers until it has no more to say, or its message.
    pub async fn stream(&self, path: &str, body: Value) -> Result<Vec<Value>, String> {
        answers(self.client.post(format!("{}{path}", self.base)).json(&body)).await
    }

    /// The first thing that it answers, or its message. What it says after that is not waited for.
    pub async fn delete(&self, path: &str) -> Result<Value, String> {
        let sent = self.client.delete(format!("{}{path}", self.base)).send().await;
        let mut response = sent.map_err(|error| error.to_string())?;
        let mut all = vec![];
        while let Some(bytes) = response.chunk().await.map_err(|error| error.to_string())? {
            all.extend_from_slice(&bytes);
            if let Some(Ok(first)) = serde_json::Deserializer::from_slice(&all).into_iter().next() {
                return result(first);
            }
        }
        Err("no answer".into())
    }
}

async fn answers(request: reqwest::RequestBuilder) -> Result<Vec<Value>, String> {
    let response = request.send().await.map_err(|error| error.to_string())?;
    let bytes = response.bytes().await.map_err(|error| error.to_string())?;
    let values = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
    values.map(|value| result(value.map_err(|error| error.to_string())?)).collect()
}

/// A stream wraps what it says into `result` or `error`; an error by itself has a code and a message.
fn result(mut value: Value) -> Result<Value, String> {
    let error = value.get("error").unwrap_or(&value);
    if let (Some(_), Some(message)) = (error.get("code"), error["message"].as_str()) {
        return Err(message.to_owned());
    }
    Ok(value.get_mut("result").map(Value::take).unwrap_or(value))
}

fn single(values: Vec<Value>) -> Result<Value, String> {
    values.into_iter().next().ok_or_else(|| "no answer".to_owned())
}

/// Bytes as they stand in a body.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes as they stand in a path.
pub(super) fn base64_of_path(bytes: &[u8]) -> String {
    URL_SAFE.encode(bytes)
}

/// Bytes out of an answer.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("LND writes base64")
}
