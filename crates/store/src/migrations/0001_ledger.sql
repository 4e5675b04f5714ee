-- Rows of the ledger and a backend's opaque state.
-- Amounts are msat, times are milliseconds since the Unix epoch, ids and hashes are their bytes,
-- records a TLV stream, routes node ids of 33 bytes one behind the other, words the ledger's own.

-- Not WITHOUT ROWID: that takes twice as long to write values of 2 kB and more, and wins nothing
-- with those of 100 bytes.
CREATE TABLE kv (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (namespace, key)
) STRICT;

-- `seq` is the order of creation, and what a page of payments starts from.
CREATE TABLE payments (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 32),
    direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'settled', 'failed')),
    key TEXT,
    destination BLOB,
    amount_msat INTEGER NOT NULL CHECK (amount_msat >= 0),
    fee_msat INTEGER NOT NULL CHECK (fee_msat >= 0),
    max_fee_msat INTEGER NOT NULL CHECK (max_fee_msat >= 0),
    hash BLOB NOT NULL,
    preimage BLOB,
    records BLOB NOT NULL,
    failure_code TEXT,
    failure_message TEXT,
    deadline_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    CHECK ((failure_code IS NULL) = (failure_message IS NULL))
) STRICT;

CREATE UNIQUE INDEX payments_key ON payments (key) WHERE key IS NOT NULL;
CREATE INDEX payments_hash ON payments (hash);
-- Every filter of a list is a union of these groups, each in the order of `seq`.
CREATE INDEX payments_group ON payments (direction, state);
-- What a start has to read, however many payments have ended.
CREATE INDEX payments_pending ON payments (seq) WHERE state = 'pending';

CREATE TABLE attempts (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    payment BLOB NOT NULL REFERENCES payments (id),
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'settled', 'failed')),
    fee_msat INTEGER NOT NULL CHECK (fee_msat >= 0),
    failure_code TEXT,
    failure_message TEXT,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    UNIQUE (payment, number),
    CHECK ((failure_code IS NULL) = (failure_message IS NULL))
) STRICT;

CREATE TABLE parts (
    payment BLOB NOT NULL REFERENCES payments (id),
    attempt INTEGER NOT NULL,
    number INTEGER NOT NULL,
    channel BLOB NOT NULL,
    amount_msat INTEGER NOT NULL CHECK (amount_msat >= 0),
    fee_msat INTEGER NOT NULL CHECK (fee_msat >= 0),
    state TEXT NOT NULL CHECK (state IN ('pending', 'settled', 'failed')),
    route BLOB NOT NULL,
    PRIMARY KEY (payment, attempt, number)
) STRICT;

-- The balances are those of the transfers, kept so that reading one costs nothing.
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    posted_msat INTEGER NOT NULL,
    pending_in_msat INTEGER NOT NULL CHECK (pending_in_msat >= 0),
    pending_out_msat INTEGER NOT NULL CHECK (pending_out_msat >= 0)
) STRICT;

CREATE TABLE transfers (
    seq INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    debit INTEGER NOT NULL REFERENCES accounts (id),
    credit INTEGER NOT NULL REFERENCES accounts (id),
    amount_msat INTEGER NOT NULL CHECK (amount_msat > 0),
    state TEXT NOT NULL CHECK (state IN ('pending', 'posted', 'void')),
    payment BLOB REFERENCES payments (id),
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX transfers_debit ON transfers (debit);
CREATE INDEX transfers_credit ON transfers (credit);
CREATE INDEX transfers_payment ON transfers (payment) WHERE payment IS NOT NULL;
CREATE INDEX transfers_pending ON transfers (seq) WHERE state = 'pending';

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    payment BLOB,
    channel BLOB,
    amount_msat INTEGER,
    detail TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;
