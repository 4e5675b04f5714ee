//! The arguments of a call, by position or by name, with bitcoind's complaints about them.

use std::str::FromStr;

use bitcoin::{Address, Amount, BlockHash, Denomination, Network, Txid};
use serde_json::Value;

use super::error::{INVALID_PARAMETER, MISC, NOT_FOUND, RpcError, WRONG_TYPE};

/// What a method is called and takes.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) method: &'static str,
    /// The names of the arguments; other names of the same one after a `|`.
    pub(crate) params: &'static [&'static str],
    /// How many of them must be given.
    pub(crate) required: usize,
}

impl Signature {
    fn name(&self, index: usize) -> &'static str {
        self.params[index].split('|').next().unwrap_or_default()
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.params.iter().position(|param| param.split('|').any(|alias| alias == name))
    }

    fn usage(&self) -> RpcError {
        let mut usage = self.method.to_owned();
        for index in 0..self.params.len() {
            if index < self.required {
                usage += &format!(" {}", self.name(index));
            } else {
                usage += &format!(" ( {} )", self.name(index));
            }
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
                let mut values = vec![Value::Null; signature.params.len()];
                for (name, value) in named {
                    let index = signature.position(&name).ok_or_else(|| {
                        RpcError::new(INVALID_PARAMETER, format!("Unknown named parameter {name}"))
                    })?;
                    values[index] = value;
                }
                values
            }
            _ => Vec::new(),
        };
        let args = Self { signature, values };
        let missing = (0..signature.required).any(|index| args.value(index).is_none());
        if missing || args.values.len() > signature.params.len() {
            return Err(signature.usage());
        }
        Ok(args)
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

    /// A whole number of 32 bits.
    pub(crate) fn int(&self, index: usize) -> Result<i32, RpcError> {
        let value = self.value(index).unwrap_or(&Value::Null);
        if !value.is_number() {
            return Err(self.wrong_type(index, value, "number"));
        }
        value
            .as_i64()
            .and_then(|number| i32::try_from(number).ok())
            .ok_or_else(|| RpcError::new(MISC, "JSON integer out of range"))
    }

    /// A verbosity: a number, or a bool for 0 and 1.
    pub(crate) fn verbosity(&self, index: usize, default: i32) -> Result<i32, RpcError> {
        match self.value(index) {
            None => Ok(default),
            Some(Value::Bool(verbose)) => Ok(i32::from(*verbose)),
            Some(_) => self.int(index),
        }
    }

    pub(crate) fn block_hash(&self, index: usize) -> Result<BlockHash, RpcError> {
        self.hash(index)
    }

    pub(crate) fn txid(&self, index: usize) -> Result<Txid, RpcError> {
        self.hash(index)
    }

    fn hash<T: FromStr>(&self, index: usize) -> Result<T, RpcError> {
        let text = self.text(index)?;
        let name = self.signature.name(index);
        if text.len() != 64 {
            return Err(RpcError::new(
                INVALID_PARAMETER,
                format!("{name} must be of length 64 (not {}, for '{text}')", text.len()),
            ));
        }
        text.parse().map_err(|_| {
            RpcError::new(INVALID_PARAMETER, format!("{name} must be hexadecimal string (not '{text}')"))
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
        let given = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let message = format!(
            "Wrong type passed:\n{{\n    \"Position {} ({})\": \
             \"JSON value of type {given} is not of expected type {expected}\"\n}}",
            index + 1,
            self.signature.name(index)
        );
        RpcError::new(WRONG_TYPE, message)
    }
}

/// `1e-5` as `0.00001000`: small numbers lose their plain form when JSON is parsed.
fn plain_decimal(number: &str) -> String {
    if !number.contains(['e', 'E']) {
        return number.to_owned();
    }
    number.parse::<f64>().map_or_else(|_| number.to_owned(), |value| format!("{value:.8}"))
}
