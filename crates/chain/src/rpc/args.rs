//! The arguments of a call, by position or by name, with bitcoind's complaints about them.

use std::str::FromStr;

use bitcoin::{Address, Amount, BlockHash, Denomination, Network, Txid};
use serde_json::Value;

use super::error::{INVALID_PARAMETER, MISC, NOT_FOUND, RpcError, WRONG_TYPE};

/// What a method is called and takes.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) method: &'static str,
    pub(crate) params: &'static [Param],
    /// How many of them must be given.
    pub(crate) required: usize,
}

/// An argument: its name, and other names of the same one after a `|`.
#[derive(Debug)]
pub(crate) enum Param {
    /// A text, which the usage shows in quotes.
    Text(&'static str),
    /// Anything else.
    Plain(&'static str),
}

impl Param {
    fn names(&self) -> impl Iterator<Item = &'static str> {
        let (Param::Text(names) | Param::Plain(names)) = self;
        names.split('|')
    }

    fn name(&self) -> &'static str {
        self.names().next().unwrap_or_default()
    }

    fn in_usage(&self) -> String {
        match self {
            Param::Text(_) => format!("\"{}\"", self.name()),
            Param::Plain(_) => self.name().to_owned(),
        }
    }
}

impl Signature {
    fn position(&self, name: &str) -> Option<usize> {
        self.params.iter().position(|param| param.names().any(|alias| alias == name))
    }

    /// The first line of bitcoind's help.
    fn usage(&self) -> RpcError {
        let (required, optional) = self.params.split_at(self.required);
        let words = |params: &[Param]| params.iter().map(Param::in_usage).collect::<Vec<_>>().join(" ");
        let mut usage = self.method.to_owned();
        if !required.is_empty() {
            usage += &format!(" {}", words(required));
        }
        if !optional.is_empty() {
            usage += &format!(" ( {} )", words(optional));
        }
        RpcError::new(MISC, usage)
    }
}

/// The arguments of one call.
#[derive(Debug)]
pub(crate) struct Args {
    signature: &'static Signature,
    values: Vec<Value>,
}

impl Args {
    /// # Errors
    /// -1 with the usage if there are too many or too few, -8 for a name that is not known.
    pub(crate) fn new(signature: &'static Signature, params: Value) -> Result<Self, RpcError> {
        let values = match params {
            Value::Array(values) => values,
            Value::Object(named) => {
                let mut values = Vec::new();
                for (name, value) in named {
                    let index = signature.position(&name).ok_or_else(|| {
                        RpcError::new(INVALID_PARAMETER, format!("Unknown named parameter {name}"))
                    })?;
                    values.resize(values.len().max(index + 1), Value::Null);
                    values[index] = value;
                }
                values
            }
            _ => Vec::new(),
        };
        if !(signature.required..=signature.params.len()).contains(&values.len()) {
            return Err(signature.usage());
        }
        Ok(Self { signature, values })
    }

    /// An argument that was given and is not null.
    pub(crate) fn value(&self, index: usize) -> Option<&Value> {
        self.values.get(index).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, index: usize) -> Result<&str, RpcError> {
        let value = self.value(index).unwrap_or(&Value::Null);
        value.as_str().ok_or_else(|| self.wrong_type(index, value, "string"))
    }

    pub(crate) fn flag(&self, index: usize, default: bool) -> Result<bool, RpcError> {
        match self.value(index) {
            None => Ok(default),
            Some(value) => value.as_bool().ok_or_else(|| self.wrong_type(index, value, "bool")),
        }
    }

    /// A whole number, in the range of its type.
    pub(crate) fn int<T: TryFrom<i64>>(&self, index: usize) -> Result<T, RpcError> {
        let value = self.value(index).unwrap_or(&Value::Null);
        if !value.is_number() {
            return Err(self.wrong_type(index, value, "number"));
        }
        value
            .as_i64()
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| RpcError::new(MISC, "JSON integer out of range"))
    }

    /// A verbosity: a number, or a bool for 0 and 1.
    pub(crate) fn verbosity(&self, index: usize, default: i32) -> Result<i32, RpcError> {
        match self.value(index) {
            None => Ok(default),
            Some(Value::Bool(verbose)) => Ok(i32::from(*verbose)),
            Some(Value::Number(_)) => self.int(index),
            // bitcoind's signatures know one type only: so it is found out where no name is known.
            Some(value) => Err(RpcError::new(WRONG_TYPE, not_of_type(value, "number"))),
        }
    }

    pub(crate) fn block_hash(&self, index: usize, called: &str) -> Result<BlockHash, RpcError> {
        self.hash(index, called)
    }

    pub(crate) fn txid(&self, index: usize, called: &str) -> Result<Txid, RpcError> {
        self.hash(index, called)
    }

    /// `called` is what bitcoind's complaint calls it, which is not always its name.
    fn hash<T: FromStr>(&self, index: usize, called: &str) -> Result<T, RpcError> {
        let text = self.text(index)?;
        if text.len() != 64 {
            return Err(RpcError::new(
                INVALID_PARAMETER,
                format!("{called} must be of length 64 (not {}, for '{text}')", text.len()),
            ));
        }
        text.parse().map_err(|_| {
            RpcError::new(INVALID_PARAMETER, format!("{called} must be hexadecimal string (not '{text}')"))
        })
    }

    /// An address of regtest.
    pub(crate) fn address(&self, index: usize, complaint: &str) -> Result<Address, RpcError> {
        self.text(index)?
            .parse::<Address<_>>()
            .ok()
            .and_then(|address| address.require_network(Network::Regtest).ok())
            .ok_or_else(|| RpcError::new(NOT_FOUND, complaint))
    }

    /// An amount in BTC, as a number or as text.
    pub(crate) fn btc(&self, index: usize) -> Result<Amount, RpcError> {
        let text = match self.value(index) {
            Some(Value::Number(number)) => plain_decimal(&number.to_string()),
            Some(Value::String(text)) => text.clone(),
            _ => return Err(RpcError::new(WRONG_TYPE, "Amount is not a number or string")),
        };
        if text.starts_with('-') {
            return Err(RpcError::new(WRONG_TYPE, "Amount out of range"));
        }
        let amount = Amount::from_str_in(&text, Denomination::Bitcoin)
            .map_err(|_| RpcError::new(WRONG_TYPE, "Invalid amount"))?;
        if amount > Amount::MAX_MONEY {
            return Err(RpcError::new(WRONG_TYPE, "Amount out of range"));
        }
        Ok(amount)
    }

    pub(crate) fn wrong_type(&self, index: usize, value: &Value, expected: &str) -> RpcError {
        let message = format!(
            "Wrong type passed:\n{{\n    \"Position {} ({})\": \"{}\"\n}}",
            index + 1,
            self.signature.params[index].name(),
            not_of_type(value, expected)
        );
        RpcError::new(WRONG_TYPE, message)
    }
}

fn not_of_type(value: &Value, expected: &str) -> String {
    let given = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!("JSON value of type {given} is not of expected type {expected}")
}

/// `1e-5` as `0.00001000`: small numbers lose their plain form when JSON is parsed.
fn plain_decimal(number: &str) -> String {
    if !number.contains(['e', 'E']) {
        return number.to_owned();
    }
    number.parse::<f64>().map_or_else(|_| number.to_owned(), |value| format!("{value:.8}"))
}
