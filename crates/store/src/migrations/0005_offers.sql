-- Payments of offers (BOLT 12): what was asked of the issuer, and the invoice that it gave.
-- `invoice` is the offer then, `invoice_hash` that of the issuer's invoice. An invoice behind blinded
-- paths has no payment secret: its `invoice_payment_addr` is empty.

ALTER TABLE payments ADD COLUMN offered_invoice BLOB CHECK (offered_invoice IS NULL OR invoice IS NOT NULL);
ALTER TABLE payments ADD COLUMN offered_quantity INTEGER
    CHECK (offered_quantity IS NULL OR offered_invoice IS NOT NULL);
ALTER TABLE payments ADD COLUMN offered_note TEXT
    CHECK (offered_note IS NULL OR offered_invoice IS NOT NULL);
