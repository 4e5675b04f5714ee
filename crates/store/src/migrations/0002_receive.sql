-- Payments to us of every kind: held and canceled ones, sets with a hash in each part, parts that
-- wait for their set, AMP invoices, what was refused, and settings that were replaced.
-- Foreign keys are off meanwhile, and checked before the commit: SQLite changes no CHECK, so tables
-- are made anew, and all rows go along.

-- AMP has a hash in each part, and none here.
CREATE TABLE payments_new (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 32),
    direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'held', 'settled', 'failed', 'canceled')),
    key TEXT,
    destination BLOB,
    amount_msat INTEGER NOT NULL CHECK (amount_msat >= 0),
    fee_msat INTEGER NOT NULL CHECK (fee_msat >= 0),
    max_fee_msat INTEGER NOT NULL CHECK (max_fee_msat >= 0),
    hash BLOB,
    preimage BLOB,
    records BLOB NOT NULL,
    failure_code TEXT,
    failure_message TEXT,
    deadline_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    payment_addr BLOB,
    set_id BLOB,
    root BLOB,
    sender BLOB,
    deadline_height INTEGER,
    CHECK ((failure_code IS NULL) = (failure_message IS NULL))
) STRICT;

INSERT INTO payments_new (
    seq, id, direction, kind, state, key, destination, amount_msat, fee_msat, max_fee_msat, hash, preimage,
    records, failure_code, failure_message, deadline_ms, attempts, max_attempts, created_at_ms, updated_at_ms
) SELECT
    seq, id, direction, kind, state, key, destination, amount_msat, fee_msat, max_fee_msat, hash, preimage,
    records, failure_code, failure_message, deadline_ms, attempts, max_attempts, created_at_ms, updated_at_ms
FROM payments;

DROP TABLE payments;
ALTER TABLE payments_new RENAME TO payments;

CREATE UNIQUE INDEX payments_key ON payments (key) WHERE key IS NOT NULL;
-- Every filter of a list is a union of these groups, each in the order of `seq`.
CREATE INDEX payments_group ON payments (direction, state);
-- What a start has to read, however many payments have ended.
CREATE INDEX payments_open ON payments (seq) WHERE state IN ('pending', 'held');
-- A set is paid once.
CREATE UNIQUE INDEX payments_set ON payments (payment_addr, set_id) WHERE payment_addr IS NOT NULL;

-- An incoming part is what is claimed by one command, and each HTLC of it once it is claimed.
CREATE TABLE parts_new (
    payment BLOB NOT NULL REFERENCES payments (id),
    attempt INTEGER NOT NULL,
    number INTEGER NOT NULL,
    channel BLOB NOT NULL,
    amount_msat INTEGER NOT NULL CHECK (amount_msat >= 0),
    fee_msat INTEGER NOT NULL CHECK (fee_msat >= 0),
    state TEXT NOT NULL CHECK (state IN ('pending', 'held', 'settled', 'failed', 'canceled')),
    route BLOB NOT NULL,
    claim BLOB,
    hash BLOB,
    preimage BLOB,
    expiry INTEGER,
    PRIMARY KEY (payment, attempt, number)
) STRICT;

INSERT INTO parts_new
SELECT parts.payment, parts.attempt, parts.number, parts.channel, parts.amount_msat, parts.fee_msat,
    parts.state, parts.route,
    CASE payments.direction WHEN 'in' THEN payments.id END,
    CASE payments.direction WHEN 'in' THEN payments.hash END,
    CASE payments.direction WHEN 'in' THEN payments.preimage END,
    NULL
FROM parts LEFT JOIN payments ON payments.id = parts.payment;

-- Incoming payments had no part before they were claimed. Its channel is known with its claim.
INSERT INTO parts_new
SELECT id, 0, 0, zeroblob(32), amount_msat, 0, state, x'', id, hash, preimage, NULL
FROM payments WHERE direction = 'in' AND id NOT IN (SELECT payment FROM parts);

DROP TABLE parts;
ALTER TABLE parts_new RENAME TO parts;

CREATE INDEX parts_claim ON parts (claim) WHERE claim IS NOT NULL;
CREATE INDEX parts_hash ON parts (hash) WHERE hash IS NOT NULL;

-- Parts of sets that are not complete. `purpose` says which of the columns behind it are there.
CREATE TABLE waiting_parts (
    claim BLOB NOT NULL PRIMARY KEY CHECK (length(claim) = 32),
    hash BLOB NOT NULL,
    amount_msat INTEGER NOT NULL CHECK (amount_msat >= 0),
    channels BLOB NOT NULL,
    expiry INTEGER,
    claim_deadline INTEGER,
    records BLOB NOT NULL,
    purpose TEXT NOT NULL CHECK (purpose IN ('keysend', 'ecdh0', 'ecdh1', 'amp')),
    preimage BLOB,
    payment_secret BLOB,
    total_msat INTEGER,
    root_share BLOB,
    set_id BLOB,
    child_index INTEGER,
    to_invoice INTEGER NOT NULL CHECK (to_invoice IN (0, 1)),
    arrived_at_ms INTEGER NOT NULL,
    CHECK ((preimage IS NULL) = (purpose = 'amp')),
    CHECK ((payment_secret IS NULL) = (total_msat IS NULL)),
    CHECK ((root_share IS NULL) = (purpose <> 'amp')),
    CHECK ((set_id IS NULL) = (purpose <> 'amp')),
    CHECK ((child_index IS NULL) = (purpose <> 'amp'))
) STRICT;

-- Payments and what they brought are added up here, in the commit that settles each.
CREATE TABLE amp_invoices (
    seq INTEGER PRIMARY KEY,
    payment_addr BLOB NOT NULL UNIQUE CHECK (length(payment_addr) = 32),
    bolt11 TEXT NOT NULL,
    amount_msat INTEGER CHECK (amount_msat > 0),
    description TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'canceled')),
    payments INTEGER NOT NULL DEFAULT 0,
    received_msat INTEGER NOT NULL DEFAULT 0
) STRICT;

-- HTLCs to us that were refused, by channel, hour since the Unix epoch, and reason.
CREATE TABLE counters (
    channel BLOB NOT NULL,
    hour INTEGER NOT NULL,
    reason TEXT NOT NULL,
    count INTEGER NOT NULL,
    amount_msat INTEGER NOT NULL,
    PRIMARY KEY (channel, hour, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;
