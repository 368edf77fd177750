-- Journal format 1. Forward only: a later release reads this for ever.
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS streams (
  id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, stream TEXT NOT NULL, UNIQUE (tenant, stream));
CREATE TABLE IF NOT EXISTS events (
  position INTEGER PRIMARY KEY,
  event_id TEXT NOT NULL UNIQUE,
  stream INTEGER NOT NULL REFERENCES streams,
  version INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  correlation_id TEXT NOT NULL,
  hash BLOB NOT NULL,
  record BLOB NOT NULL,
  UNIQUE (stream, version));
CREATE INDEX IF NOT EXISTS events_story ON events (tenant, correlation_id, position);
CREATE TABLE IF NOT EXISTS chains (tenant TEXT PRIMARY KEY, hash BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS receipts (
  tenant TEXT, caller TEXT, key TEXT, request_hash BLOB NOT NULL, outcome BLOB NOT NULL, position INTEGER NOT NULL,
  kept_until INTEGER NOT NULL, PRIMARY KEY (tenant, caller, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (
  tenant TEXT, kind TEXT, key TEXT, owner TEXT NOT NULL, PRIMARY KEY (tenant, kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS timers (
  tenant TEXT, name TEXT, key TEXT, due INTEGER NOT NULL, event_id TEXT NOT NULL,
  PRIMARY KEY (tenant, name, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS timers_due ON timers (due);
CREATE TABLE IF NOT EXISTS offsets (partition TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (
  tenant TEXT, stream TEXT, public_version INTEGER NOT NULL, PRIMARY KEY (tenant, stream)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoints (reader TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holds (
  policy TEXT, tenant TEXT, key TEXT, position INTEGER, tries INTEGER NOT NULL, retry_at INTEGER NOT NULL,
  parked INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (policy, tenant, key, position)) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS events_are_never_updated BEFORE UPDATE ON events
  BEGIN SELECT RAISE(ABORT, 'a record of the journal is never changed'); END;
CREATE TRIGGER IF NOT EXISTS events_are_never_deleted BEFORE DELETE ON events
  BEGIN SELECT RAISE(ABORT, 'a record of the journal is never removed'); END;
CREATE TRIGGER IF NOT EXISTS events_are_dense BEFORE INSERT ON events
  WHEN NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM events)
  BEGIN SELECT RAISE(ABORT, 'a record of the journal stands right after the one before it'); END;
INSERT OR IGNORE INTO meta VALUES ('journal_format', 1), ('incarnation', 1);
