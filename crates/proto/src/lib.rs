//! Units, records and identifiers of spontaneous Lightning payments.
