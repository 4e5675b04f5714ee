-- Payments from us of every kind: how each may be sent and how far that got, attempts with a hash in
-- each part, what each part is known by and how it failed.
-- A short channel id is its 8 bytes, hints are ways as `hints.rs` says.

-- A payment to us has nothing of this: every column stands at its default.
ALTER TABLE payments ADD COLUMN asked TEXT;
ALTER TABLE payments ADD COLUMN fall_back INTEGER NOT NULL DEFAULT 0 CHECK (fall_back IN (0, 1));
ALTER TABLE payments ADD COLUMN max_parts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN final_cltv INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN hints BLOB NOT NULL DEFAULT x'';
ALTER TABLE payments ADD COLUMN invoice TEXT;
ALTER TABLE payments ADD COLUMN invoice_hash BLOB CHECK (invoice_hash IS NULL OR invoice IS NOT NULL);
ALTER TABLE payments ADD COLUMN invoice_payment_addr BLOB
    CHECK ((invoice_payment_addr IS NULL) = (invoice IS NULL));
ALTER TABLE payments ADD COLUMN invoice_metadata BLOB
    CHECK (invoice_metadata IS NULL OR invoice IS NOT NULL);
ALTER TABLE payments ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN canceled INTEGER NOT NULL DEFAULT 0 CHECK (canceled IN (0, 1));
ALTER TABLE payments ADD COLUMN reason TEXT NOT NULL DEFAULT '';

-- Until now all were plain keysends, one HTLC after the other. Nobody asked for a kind: a request that
-- is repeated over the update still asks for none.
UPDATE payments SET max_parts = 1, final_cltv = 144, tries = attempts
WHERE direction = 'out';

-- AMP has a hash in each part, and none here. SQLite takes no NOT NULL away, so the table is made anew.
CREATE TABLE attempts_new (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    payment BLOB NOT NULL REFERENCES payments (id),
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    hash BLOB,
    set_id BLOB,
    state TEXT NOT NULL CHECK (state IN ('pending', 'settled', 'failed')),
    fee_msat INTEGER NOT NULL CHECK (fee_msat >= 0),
    failure_code TEXT,
    failure_message TEXT,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    UNIQUE (payment, number),
    CHECK ((failure_code IS NULL) = (failure_message IS NULL))
) STRICT;

INSERT INTO attempts_new
SELECT id, payment, number, 'keysend', hash, NULL, state, fee_msat, failure_code, failure_message,
    created_at_ms, updated_at_ms
FROM attempts;

CREATE INDEX payments_invoice ON payments (invoice_hash) WHERE invoice_hash IS NOT NULL;

DROP TABLE attempts;
ALTER TABLE attempts_new RENAME TO attempts;

-- `failed` says whether the columns behind it tell how an outgoing part failed; each of them may still
-- be unknown.
ALTER TABLE parts ADD COLUMN share BLOB;
ALTER TABLE parts ADD COLUMN failed INTEGER NOT NULL DEFAULT 0 CHECK (failed IN (0, 1));
ALTER TABLE parts ADD COLUMN failed_hop INTEGER CHECK (failed_hop IS NULL OR failed = 1);
ALTER TABLE parts ADD COLUMN failed_code INTEGER CHECK (failed_code IS NULL OR failed = 1);
ALTER TABLE parts ADD COLUMN failed_channel BLOB CHECK (failed_channel IS NULL OR failed = 1);

-- The backend knew an attempt by the attempt's id, and it had one part. Only what was sent has attempts.
UPDATE parts SET
    claim = CASE parts.number WHEN 0 THEN attempts.id END,
    hash = attempts.hash,
    preimage = CASE WHEN parts.state = 'settled' AND attempts.hash = payments.hash THEN payments.preimage END
FROM attempts JOIN payments ON payments.id = attempts.payment
WHERE attempts.payment = parts.payment AND attempts.number = parts.attempt;
