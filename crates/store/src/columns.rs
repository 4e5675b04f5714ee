//! The columns of payments, attempts and parts: one list each, in the order in which a row is written
//! and read.

use crate::codec::Col;
use rusqlite::Row;
use rusqlite::types::FromSql;

/// A table's list: what tells its rows in brackets, then the rest.
macro_rules! table {
    ($table:ident: [$($key:ident),+] $first:ident $(, $column:ident)+ $(,)?) => {
        pub(crate) mod $table {
            /// All of them, for a `SELECT`.
            pub(crate) const COLUMNS: &str = concat!(
                $(stringify!($table), ".", stringify!($key), ", ",)+
                stringify!($table), ".", stringify!($first)
                $(, ", ", stringify!($table), ".", stringify!($column))+
            );

            /// Inserts a row or replaces it. Its parameters are numbered in the order of the list.
            pub(crate) const UPSERT: &str = concat!(
                "INSERT INTO ", stringify!($table), " (",
                $(stringify!($key), ", ",)+ stringify!($first) $(, ", ", stringify!($column))+,
                ") VALUES (",
                $(":", stringify!($key), ", ",)+ ":", stringify!($first)
                $(, ", :", stringify!($column))+,
                ") ON CONFLICT (", table!(@list $($key),+), ") DO UPDATE SET ",
                stringify!($first), " = excluded.", stringify!($first)
                $(, ", ", stringify!($column), " = excluded.", stringify!($column))+
            );
        }
    };
    (@list $first:ident $(, $rest:ident)*) => {
        concat!(stringify!($first) $(, ", ", stringify!($rest))*)
    };
}

table!(payments: [id] direction, kind, state, key, destination, amount_msat, fee_msat, max_fee_msat, hash,
    preimage, records, failure_code, failure_message, deadline_ms, attempts, max_attempts, created_at_ms,
    updated_at_ms, payment_addr, set_id, root, sender, deadline_height, asked, fall_back, max_parts, final_cltv,
    hints, invoice, invoice_hash, invoice_payment_addr, invoice_metadata, offered_invoice, offered_quantity,
    offered_note, tries, canceled, reason);

table!(attempts: [id] payment, number, kind, hash, set_id, state, fee_msat, failure_code, failure_message,
    created_at_ms, updated_at_ms);

table!(parts: [payment, attempt, number] channel, amount_msat, fee_msat, state, route, claim, hash, preimage,
    expiry, share, failed, failed_hop, failed_code, failed_channel);

/// Reads the columns of a row one after the other.
pub(crate) struct Columns<'a> {
    row: &'a Row<'a>,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(row: &'a Row<'a>) -> Columns<'a> {
        Columns { row, next: 0 }
    }

    /// The next one, a type that SQLite knows.
    pub(crate) fn plain<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        self.next += 1;
        self.row.get(self.next - 1)
    }

    /// The next one.
    pub(crate) fn value<T>(&mut self) -> rusqlite::Result<T>
    where
        Col<T>: FromSql,
    {
        self.plain::<Col<T>>().map(|column| column.0)
    }

    /// The next one, if it is there.
    pub(crate) fn optional<T>(&mut self) -> rusqlite::Result<Option<T>>
    where
        Col<T>: FromSql,
    {
        self.plain::<Option<Col<T>>>().map(crate::codec::opt)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_list_makes_both_statements() {
        table!(t: [a, b] c, d);
        assert_eq!(t::COLUMNS, "t.a, t.b, t.c, t.d");
        assert_eq!(
            t::UPSERT,
            "INSERT INTO t (a, b, c, d) VALUES (:a, :b, :c, :d) ON CONFLICT (a, b) \
             DO UPDATE SET c = excluded.c, d = excluded.d"
        );
    }
}
