-- What was refused is read by hour, the latest first.
CREATE INDEX counters_hour ON counters (hour DESC, channel, reason);
