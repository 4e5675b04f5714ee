//! Parts that wait for the rest of their set.

use crate::codec::{Col, opt};
use crate::error::StoreError;
use crate::payments::all;
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, Row, params};
use sponte_engine::backend::{AmpShard, Claimable, Purpose};
use sponte_engine::commit::WaitingPart;
use sponte_proto::amp::{AmpRecord, SetId, Share};
use sponte_proto::ecdh::Version;
use sponte_proto::mpp::PaymentData;
use sponte_proto::{PaymentId, Preimage};

/// The columns that a purpose has, all optional but the word. A payment of an ordinary invoice has the word
/// of a keysend, which no keysend has that was paid to an invoice.
#[derive(Default)]
struct Columns {
    purpose: &'static str,
    preimage: Option<Preimage>,
    data: Option<PaymentData>,
    amp: Option<AmpRecord>,
}

pub(crate) fn insert(conn: &Connection, row: &WaitingPart) -> Result<(), StoreError> {
    let claimable = &row.claimable;
    // The engine lets nothing wait that it cannot claim.
    let Some(Columns { purpose, preimage, data, amp }) = columns(&claimable.purpose) else { return Ok(()) };
    conn.prepare_cached(
        "INSERT INTO waiting_parts (
            claim, hash, amount_msat, channels, expiry, claim_deadline, records, purpose, preimage,
            payment_secret, total_msat, root_share, set_id, child_index, to_invoice, arrived_at_ms
         ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
         ON CONFLICT (claim) DO NOTHING",
    )?
    .execute(params![
        Col(claimable.id),
        Col(claimable.hash),
        Col(claimable.amount),
        Col(claimable.channels.as_slice()),
        claimable.expiry.map(Col),
        claimable.claim_deadline.map(Col),
        Col(&claimable.records),
        purpose,
        preimage.map(Col),
        data.as_ref().map(|data| Col(data.payment_secret())),
        data.as_ref().map(|data| Col(data.total())),
        amp.as_ref().map(|amp| Col(&amp.root_share)),
        amp.as_ref().map(|amp| Col(amp.set_id)),
        amp.as_ref().map(|amp| amp.child_index),
        row.to_invoice,
        Col(row.arrived_at),
    ])?;
    Ok(())
}

pub(crate) fn delete(conn: &Connection, claim: PaymentId) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM waiting_parts WHERE claim = ?1")?.execute([Col(claim)])?;
    Ok(())
}

/// All of them, in the order of their arrival.
pub(crate) fn read(conn: &Connection) -> Result<Vec<WaitingPart>, StoreError> {
    let sql = "SELECT claim, hash, amount_msat, channels, expiry, claim_deadline, records, purpose, preimage,
                   payment_secret, total_msat, root_share, set_id, child_index, to_invoice, arrived_at_ms
               FROM waiting_parts ORDER BY arrived_at_ms, rowid";
    all(conn, sql, [], waiting_part)
}

fn columns(purpose: &Purpose) -> Option<Columns> {
    match purpose {
        Purpose::Keysend { preimage, payment_data } => Some(Columns {
            purpose: "keysend",
            preimage: Some(preimage.clone()),
            data: payment_data.clone(),
            ..Columns::default()
        }),
        Purpose::Bolt11 { preimage } => {
            Some(Columns { purpose: "keysend", preimage: Some(preimage.clone()), ..Columns::default() })
        }
        Purpose::Ecdh { version, preimage } => {
            let purpose = match version {
                Version::Ecdh0 => "ecdh0",
                Version::Ecdh1 => "ecdh1",
                _ => return None,
            };
            Some(Columns { purpose, preimage: Some(preimage.clone()), ..Columns::default() })
        }
        Purpose::Amp(shard) => Some(Columns {
            purpose: "amp",
            data: Some(shard.payment_data.clone()),
            amp: Some(shard.record.clone()),
            ..Columns::default()
        }),
        Purpose::Unknown => None,
    }
}

fn waiting_part(row: &Row<'_>) -> rusqlite::Result<WaitingPart> {
    let word: String = row.get(7)?;
    let to_invoice = row.get(14)?;
    let preimage = || row.get::<_, Col<Preimage>>(8).map(|column| column.0);
    let data = || -> rusqlite::Result<Option<PaymentData>> {
        let secret = opt(row.get(9)?);
        let total = opt(row.get(10)?);
        Ok(secret.zip(total).map(|(secret, total)| PaymentData::new(secret, total)))
    };
    let unknown = |why: &str| {
        let error = FromSqlError::Other(format!("a waiting part with the purpose `{word}` {why}").into());
        rusqlite::Error::FromSqlConversionFailure(7, rusqlite::types::Type::Text, Box::new(error))
    };
    let purpose = match word.as_str() {
        "keysend" if to_invoice => Purpose::Bolt11 { preimage: preimage()? },
        "keysend" => Purpose::Keysend { preimage: preimage()?, payment_data: data()? },
        "ecdh0" => Purpose::Ecdh { version: Version::Ecdh0, preimage: preimage()? },
        "ecdh1" => Purpose::Ecdh { version: Version::Ecdh1, preimage: preimage()? },
        "amp" => Purpose::Amp(Box::new(AmpShard {
            payment_data: data()?.ok_or_else(|| unknown("has no payment data"))?,
            record: AmpRecord {
                root_share: row.get::<_, Col<Share>>(11)?.0,
                set_id: row.get::<_, Col<SetId>>(12)?.0,
                child_index: row.get(13)?,
            },
        })),
        _ => return Err(unknown("is not known here")),
    };
    let claimable = Claimable {
        id: row.get::<_, Col<_>>(0)?.0,
        hash: row.get::<_, Col<_>>(1)?.0,
        amount: row.get::<_, Col<_>>(2)?.0,
        channels: row.get::<_, Col<_>>(3)?.0,
        expiry: opt(row.get(4)?),
        claim_deadline: opt(row.get(5)?),
        records: row.get::<_, Col<_>>(6)?.0,
        purpose,
    };
    Ok(WaitingPart { claimable, to_invoice, arrived_at: row.get::<_, Col<_>>(15)?.0 })
}
