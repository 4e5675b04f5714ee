//! JSON-RPC around the calls, and HTTP around that.

use super::both::{Answers, Both};
use serde_json::{Value, json};
use sponte_peers::Rpc;

pub async fn compare(both: &mut Both) {
    both.ask("nosuchmethod", json!([])).await;
    both.ask("", json!([])).await;
    for body in [
        "",
        "{",
        "nonsense",
        "7",
        "\"text\"",
        "[]",
        "[7]",
        "{}",
        r#"{"id":1}"#,
        r#"{"id":1,"method":7}"#,
        r#"{"id":1,"method":"getblockcount"}"#,
        r#"{"id":"x","method":"getblockcount","params":null}"#,
        r#"{"id":null,"method":"getblockcount","params":{}}"#,
        r#"{"method":"getblockcount","params":[]}"#,
        r#"{"id":1,"method":"getblockcount","params":"x"}"#,
        r#"{"id":1,"method":"getblockcount","params":7}"#,
        r#"{"id":1,"method":"getblockhash","params":{"height":0}}"#,
        r#"{"id":1,"method":"getblockhash","params":{"hight":0}}"#,
        r#"{"id":1,"method":"nosuchmethod"}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"nosuchmethod"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"getblockcount"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"nosuchmethod"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"getblockhash","params":[-1]}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"2.0","method":"getblockcount"}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"getblockcount"}"#,
        r#"[7,{"id":1,"method":"getblockcount"},{"id":2,"method":"nosuchmethod"}]"#,
        r#"[{"jsonrpc":"2.0","id":1,"method":"getblockcount"},{"jsonrpc":"2.0","id":2,"method":"x"}]"#,
        r#"[{"jsonrpc":"2.0","method":"getblockcount"}]"#,
    ] {
        post(both, body).await;
    }
    wrong_password(both).await;
}

async fn post(both: &mut Both, body: &str) {
    let mut answers = vec![];
    for side in both.sides() {
        answers.push(Ok(posted(&side.rpc, body).await));
    }
    both.compared(body, &Answers(answers.try_into().expect("two sides")), &[]);
}

/// Status and body.
async fn posted(rpc: &Rpc, body: &str) -> Value {
    let (status, answer) = rpc.post(body.into()).await.expect("an answer");
    match serde_json::from_str::<Value>(&answer) {
        Ok(answer) => json!([status, answer, fields(&answer)]),
        Err(_) => json!([status, answer]),
    }
}

/// Of the envelope, all fields must be there.
fn fields(answer: &Value) -> Value {
    match answer {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            json!(names)
        }
        Value::Array(answers) => answers.iter().map(fields).collect(),
        _ => Value::Null,
    }
}

async fn wrong_password(both: &mut Both) {
    let body = r#"{"id":1,"method":"getblockcount"}"#;
    let mut answers = vec![];
    for side in both.sides() {
        let rpc = Rpc::new(side.rpc.url(), side.rpc.user(), "wrong");
        let answer = posted(&rpc, body).await;
        assert_eq!(answer[0], 401);
        answers.push(Ok(answer));
    }
    both.compared("a wrong password", &Answers(answers.try_into().expect("two sides")), &[]);
}
