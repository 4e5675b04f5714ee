//! How a value stands in a column. Explicit, as the file outlives the program.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};
use sponte_engine::commit::{Account, Direction, Failure, InvoiceState, Kind, Reason, State, TransferState};
use sponte_proto::amp::{Root, SetId, Share};
use sponte_proto::failure::FailureCode;
use sponte_proto::{
    BlockHeight, ChannelId, CltvExpiry, CltvExpiryDelta, Msat, NodeId, PaymentHash, PaymentId, PaymentSecret,
    Preimage, Records, ShortChannelId, Timestamp,
};

/// A value on its way into or out of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Col<T>(pub(crate) T);

/// Takes the values out of optional columns.
pub(crate) fn opt<T>(column: Option<Col<T>>) -> Option<T> {
    column.map(|Col(value)| value)
}

/// The columns `failure_code` and `failure_message`, both or neither.
pub(crate) fn failure(code: Option<String>, message: Option<String>) -> Option<Failure> {
    Some(Failure { code: code?, message: message? })
}

macro_rules! blobs {
    ($($name:ident),+) => {$(
        impl ToSql for Col<$name> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.0.to_bytes().to_vec().into())
            }
        }

        impl FromSql for Col<$name> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; 32]>::column_result(value).map(|bytes| Col($name::from_bytes(bytes)))
            }
        }
    )+};
}
blobs!(PaymentId, PaymentHash, Preimage, ChannelId, SetId);

/// Secrets are written from where they stand.
macro_rules! secrets {
    ($($name:ident),+) => {$(
        impl ToSql for Col<&$name> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
            }
        }

        impl FromSql for Col<$name> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; 32]>::column_result(value).map(|bytes| Col($name::from_bytes(bytes)))
            }
        }
    )+};
}
secrets!(PaymentSecret, Root, Share);

macro_rules! numbers {
    ($($name:ident: $int:ty = $to:ident),+) => {$(
        impl ToSql for Col<$name> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Owned(Value::Integer(self.0.$to().into())))
            }
        }

        impl FromSql for Col<$name> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <$int>::column_result(value).map(|number| Col($name::new(number)))
            }
        }
    )+};
}
numbers!(BlockHeight: u32 = to_u32, CltvExpiry: u32 = to_u32);
numbers!(CltvExpiryDelta: u16 = to_u16, FailureCode: u16 = to_u16);

impl ToSql for Col<ShortChannelId> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.to_bytes().to_vec().into())
    }
}

impl FromSql for Col<ShortChannelId> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 8]>::column_result(value).map(|bytes| Col(ShortChannelId::from_bytes(bytes)))
    }
}

impl ToSql for Col<NodeId> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.to_bytes().to_vec().into())
    }
}

impl FromSql for Col<NodeId> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = <[u8; 33]>::column_result(value)?;
        NodeId::from_bytes(bytes).map(Col).map_err(FromSqlError::other)
    }
}

/// A route: node ids one behind the other.
impl ToSql for Col<&[NodeId]> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.iter().flat_map(|node| node.to_bytes()).collect::<Vec<u8>>().into())
    }
}

impl FromSql for Col<Vec<NodeId>> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let (nodes, rest) = value.as_blob()?.as_chunks::<33>();
        if !rest.is_empty() {
            return Err(FromSqlError::InvalidBlobSize { expected_size: 33, blob_size: rest.len() });
        }
        let nodes = nodes.iter().map(|bytes| NodeId::from_bytes(*bytes).map_err(FromSqlError::other));
        nodes.collect::<FromSqlResult<_>>().map(Col)
    }
}

/// Channel ids one behind the other.
impl ToSql for Col<&[ChannelId]> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.iter().flat_map(|channel| channel.to_bytes()).collect::<Vec<u8>>().into())
    }
}

impl FromSql for Col<Vec<ChannelId>> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let (channels, rest) = value.as_blob()?.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(FromSqlError::InvalidBlobSize { expected_size: 32, blob_size: rest.len() });
        }
        Ok(Col(channels.iter().map(|bytes| ChannelId::from_bytes(*bytes)).collect()))
    }
}

impl ToSql for Col<&Records> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.encode().into())
    }
}

impl FromSql for Col<Records> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Records::decode(value.as_blob()?).map(Col).map_err(FromSqlError::other)
    }
}

macro_rules! words {
    ($($name:ident),+) => {$(
        impl ToSql for Col<$name> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.0.as_str().into())
            }
        }

        impl FromSql for Col<$name> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let word = value.as_str()?;
                $name::from_word(word).map(Col).ok_or_else(|| unknown(stringify!($name), word))
            }
        }
    )+};
}
words!(Direction, State, Kind, TransferState, InvoiceState, Reason);

impl ToSql for Col<Account> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.name().into())
    }
}

impl FromSql for Col<Account> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str()?;
        Account::from_name(name).map(Col).ok_or_else(|| unknown("Account", name))
    }
}

impl ToSql for Col<Msat> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let msat = i64::try_from(self.0.to_msat()).expect("the money supply fits");
        Ok(ToSqlOutput::Owned(Value::Integer(msat)))
    }
}

impl FromSql for Col<Msat> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let msat = value.as_i64()?;
        let amount = u64::try_from(msat).ok().and_then(Msat::new);
        amount.map(Col).ok_or(FromSqlError::OutOfRange(msat))
    }
}

/// A column is signed. Times that it cannot hold are the end of time, there and back.
impl ToSql for Col<Timestamp> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let millis = i64::try_from(self.0.to_millis()).unwrap_or(i64::MAX);
        Ok(ToSqlOutput::Owned(Value::Integer(millis)))
    }
}

impl FromSql for Col<Timestamp> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let millis = match value.as_i64()? {
            i64::MAX => u64::MAX,
            millis => u64::try_from(millis).map_err(|_| FromSqlError::OutOfRange(millis))?,
        };
        Ok(Col(Timestamp::from_millis(millis)))
    }
}

fn unknown(what: &str, word: &str) -> FromSqlError {
    FromSqlError::Other(format!("`{word}` is no {what}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Writes a value into a column's form.
    fn written(value: &dyn ToSql) -> Value {
        match value.to_sql().expect("every value has a form") {
            ToSqlOutput::Owned(value) => value,
            ToSqlOutput::Borrowed(value) => value.into(),
            other => panic!("an unexpected form: {other:?}"),
        }
    }

    fn read<T: FromSql>(value: &Value) -> FromSqlResult<T> {
        T::column_result(value.into())
    }

    fn node() -> impl Strategy<Value = NodeId> {
        (2u8..=3, any::<[u8; 32]>()).prop_map(|(sign, x)| {
            let mut bytes = [sign; 33];
            bytes[1..].copy_from_slice(&x);
            NodeId::from_bytes(bytes).expect("02 or 03")
        })
    }

    proptest! {
        #[test]
        fn ids_round_trip(bytes: [u8; 32]) {
            let id = Col(PaymentId::from_bytes(bytes));
            prop_assert_eq!(read(&written(&id)), Ok(id));
            let account = Col(Account::Channel(ChannelId::from_bytes(bytes)));
            prop_assert_eq!(read(&written(&account)), Ok(account));
        }

        #[test]
        fn routes_round_trip(route in prop::collection::vec(node(), 0..20)) {
            prop_assert_eq!(read(&written(&Col(&route[..]))), Ok(Col(route)));
        }

        #[test]
        fn channel_lists_round_trip_and_are_read_whole_or_not_at_all(
            ids in prop::collection::vec(any::<[u8; 32]>(), 0..20),
            rest in 1usize..32,
        ) {
            let channels: Vec<ChannelId> = ids.iter().map(|id| ChannelId::from_bytes(*id)).collect();
            let bytes: Vec<u8> = ids.concat();
            prop_assert_eq!(written(&Col(&channels[..])), Value::Blob(bytes.clone()));
            prop_assert_eq!(read(&Value::Blob(bytes.clone())), Ok(Col(channels)));
            let longer = Value::Blob([bytes, vec![0; rest]].concat());
            prop_assert!(read::<Col<Vec<ChannelId>>>(&longer).is_err());
        }

        #[test]
        fn account_names_are_refused_or_make_sense(name in "(channel/)?[0-9a-fA-F]{63,65}|[a-z_]{4,14}") {
            if let Ok(account) = read::<Col<Account>>(&Value::Text(name)) {
                prop_assert_eq!(read(&written(&account)), Ok(account));
            }
        }

        #[test]
        fn amounts_and_times_round_trip(msat in 0..=Msat::MAX.to_msat(), millis in 0..i64::MAX as u64) {
            let amount = Col(Msat::new(msat).expect("in supply"));
            prop_assert_eq!(read(&written(&amount)), Ok(amount));
            let time = Col(Timestamp::from_millis(millis));
            prop_assert_eq!(read(&written(&time)), Ok(time));
        }

        #[test]
        fn codes_and_short_channel_ids_round_trip(code: u16, number: u64) {
            let code = Col(FailureCode::new(code));
            prop_assert_eq!(read(&written(&code)), Ok(code));
            let delta = Col(CltvExpiryDelta::new(code.0.to_u16()));
            prop_assert_eq!(read(&written(&delta)), Ok(delta));
            let channel = Col(ShortChannelId::new(number));
            prop_assert_eq!(read(&written(&channel)), Ok(channel));
        }

        #[test]
        fn records_round_trip(pairs: Vec<(u64, Vec<u8>)>) {
            let records = Records::from_received(pairs);
            prop_assert_eq!(read(&written(&Col(&records))), Ok(Col(records)));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, text: String, number: i64) {
            for value in [Value::Blob(bytes), Value::Text(text), Value::Integer(number), Value::Null] {
                let _ = read::<Col<Vec<NodeId>>>(&value);
                let _ = read::<Col<NodeId>>(&value);
                let _ = read::<Col<Vec<ChannelId>>>(&value);
                let _ = read::<Col<ChannelId>>(&value);
                let _ = read::<Col<Records>>(&value);
                let _ = read::<Col<Account>>(&value);
                let _ = read::<Col<State>>(&value);
                let _ = read::<Col<Msat>>(&value);
                let _ = read::<Col<Timestamp>>(&value);
                let _ = read::<Col<FailureCode>>(&value);
                let _ = read::<Col<ShortChannelId>>(&value);
            }
        }
    }

    #[test]
    fn the_end_of_time_stays() {
        let end = Col(Timestamp::from_millis(u64::MAX));
        assert_eq!(written(&end), Value::Integer(i64::MAX));
        assert_eq!(read(&written(&end)), Ok(end));
    }

    #[test]
    fn what_no_column_may_hold() {
        assert!(read::<Col<Msat>>(&Value::Integer(-1)).is_err());
        assert!(read::<Col<Timestamp>>(&Value::Integer(-1)).is_err());
        assert!(read::<Col<State>>(&Value::Text("open".into())).is_err());
        assert!(read::<Col<Vec<NodeId>>>(&Value::Blob(vec![2; 34])).is_err());
        assert!(read::<Col<PaymentId>>(&Value::Blob(vec![0; 31])).is_err());
        assert!(read::<Col<ShortChannelId>>(&Value::Blob(vec![0; 9])).is_err());
        for number in [-1, 65_536] {
            assert!(read::<Col<FailureCode>>(&Value::Integer(number)).is_err());
            assert!(read::<Col<CltvExpiryDelta>>(&Value::Integer(number)).is_err());
        }
    }
}
