-- Journal format 1, PostgreSQL 14 or later. Forward only: a later release reads this for ever.
-- `prepare` runs it once per service, with the service's schema as the search path.
CREATE TABLE meta (name text COLLATE "C" PRIMARY KEY, value bigint NOT NULL);
-- One row: who may write, and until when. `backend` is the one connection of the holder that may append.
CREATE TABLE lease (
  one boolean PRIMARY KEY CHECK (one), epoch bigint NOT NULL, holder text, expires_at timestamptz NOT NULL,
  backend integer);
CREATE TABLE streams (
  id bigint PRIMARY KEY, tenant text COLLATE "C" NOT NULL, stream text COLLATE "C" NOT NULL, UNIQUE (tenant, stream));
-- The stream has no foreign key: `append` looks every one up, and a check per row would slow each commit.
CREATE TABLE events (
  position bigint PRIMARY KEY,
  event_id text COLLATE "C" NOT NULL UNIQUE,
  stream bigint NOT NULL,
  version bigint NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  correlation_id text COLLATE "C" NOT NULL,
  hash bytea NOT NULL,
  record bytea NOT NULL,
  UNIQUE (stream, version));
CREATE INDEX events_story ON events (tenant, correlation_id, position);
CREATE TABLE chains (tenant text COLLATE "C" PRIMARY KEY, hash bytea NOT NULL);
CREATE TABLE receipts (
  tenant text COLLATE "C", caller text COLLATE "C", key text COLLATE "C", request_hash bytea NOT NULL,
  outcome bytea NOT NULL, position bigint NOT NULL, kept_until bigint NOT NULL, PRIMARY KEY (tenant, caller, key));
CREATE TABLE claims (
  tenant text COLLATE "C", kind text COLLATE "C", key text COLLATE "C", owner text NOT NULL,
  PRIMARY KEY (tenant, kind, key));
CREATE TABLE timers (
  tenant text COLLATE "C", name text COLLATE "C", key text COLLATE "C", due bigint NOT NULL, event_id text NOT NULL,
  PRIMARY KEY (tenant, name, key));
CREATE INDEX timers_due ON timers (due);
CREATE TABLE offsets (partition text COLLATE "C" PRIMARY KEY, next bigint NOT NULL);
CREATE TABLE seen (
  tenant text COLLATE "C", stream text COLLATE "C", public_version bigint NOT NULL, PRIMARY KEY (tenant, stream));
CREATE TABLE checkpoints (reader text COLLATE "C" PRIMARY KEY, position bigint NOT NULL);
CREATE TABLE holds (
  policy text COLLATE "C", tenant text COLLATE "C", key text COLLATE "C", position bigint, tries bigint NOT NULL,
  retry_at bigint NOT NULL, parked boolean NOT NULL, reason text NOT NULL,
  PRIMARY KEY (policy, tenant, key, position));
INSERT INTO meta VALUES ('journal_format', 1), ('incarnation', 1);
INSERT INTO lease VALUES (true, 0, NULL, '-infinity', NULL);

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a record of the journal is never changed and never removed';
END $$;
CREATE TRIGGER events_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON events EXECUTE FUNCTION refuse();

CREATE FUNCTION be_dense() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE lowest bigint; highest bigint; rows bigint;
BEGIN
  SELECT min(position), max(position), count(*) INTO lowest, highest, rows FROM added;
  IF highest - lowest + 1 <> rows OR lowest <> 1 AND NOT EXISTS (SELECT FROM events WHERE position = lowest - 1) THEN
    RAISE EXCEPTION 'a record of the journal stands right after the one before it';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER events_are_dense AFTER INSERT ON events REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION be_dense();

-- What the writer hands over per record; the other kinds come as rows of their tables, a NULL where one is removed.
CREATE TYPE entry AS (
  position bigint, event_id text, tenant text, stream text, version bigint, correlation_id text, hash bytea,
  record bytea);

-- The only way in: one statement, so that a holder who is stopped at any instant leaves no lock behind. The lease row
-- stays locked to the end of the commit; taking over waits for it, and a commit waits for taking over.
CREATE FUNCTION append(
  of_epoch bigint, after bigint, new_entries entry[], new_receipts receipts[], new_claims claims[], new_timers timers[],
  new_offsets offsets[], new_seen seen[], new_checkpoints checkpoints[], new_holds holds[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE head bigint;
BEGIN
  PERFORM FROM lease
    WHERE epoch = of_epoch AND backend = pg_backend_pid() AND expires_at > clock_timestamp() FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the lease of epoch % is over', of_epoch USING ERRCODE = 'FL001';
  END IF;
  SELECT coalesce(max(position), 0) INTO head FROM events;
  IF head <> after THEN
    RAISE EXCEPTION 'the journal ends at %, the batch goes on from %', head, after;
  END IF;

  IF new_entries <> '{}' THEN
    INSERT INTO streams
      SELECT (SELECT coalesce(max(id), 0) FROM streams) + row_number() OVER (), tenant, stream
      FROM (SELECT DISTINCT tenant, stream FROM unnest(new_entries)) AS named
      WHERE NOT EXISTS (SELECT FROM streams AS s WHERE s.tenant = named.tenant AND s.stream = named.stream);
    INSERT INTO events
      SELECT e.position, e.event_id, s.id, e.version, e.tenant, e.correlation_id, e.hash, e.record
      FROM unnest(new_entries) AS e JOIN streams AS s ON s.tenant = e.tenant AND s.stream = e.stream;
    INSERT INTO chains
      SELECT DISTINCT ON (tenant) tenant, hash FROM unnest(new_entries) ORDER BY tenant, position DESC
      ON CONFLICT (tenant) DO UPDATE SET hash = excluded.hash;
  END IF;
  IF new_receipts <> '{}' THEN
    DELETE FROM receipts USING unnest(new_receipts) AS n
      WHERE (receipts.tenant, receipts.caller, receipts.key) = (n.tenant, n.caller, n.key) AND n.outcome IS NULL
        AND receipts.kept_until > 0;
    INSERT INTO receipts SELECT * FROM unnest(new_receipts) WHERE outcome IS NOT NULL;
  END IF;
  IF new_claims <> '{}' THEN
    DELETE FROM claims USING unnest(new_claims) AS n
      WHERE (claims.tenant, claims.kind, claims.key) = (n.tenant, n.kind, n.key) AND n.owner IS NULL;
    INSERT INTO claims SELECT * FROM unnest(new_claims) WHERE owner IS NOT NULL
      ON CONFLICT (tenant, kind, key) DO UPDATE SET owner = excluded.owner;
  END IF;
  IF new_timers <> '{}' THEN
    DELETE FROM timers USING unnest(new_timers) AS n
      WHERE (timers.tenant, timers.name, timers.key) = (n.tenant, n.name, n.key) AND n.due IS NULL;
    INSERT INTO timers SELECT * FROM unnest(new_timers) WHERE due IS NOT NULL
      ON CONFLICT (tenant, name, key) DO UPDATE SET due = excluded.due, event_id = excluded.event_id;
  END IF;
  IF new_offsets <> '{}' THEN
    INSERT INTO offsets SELECT * FROM unnest(new_offsets)
      ON CONFLICT (partition) DO UPDATE SET next = excluded.next;
  END IF;
  IF new_seen <> '{}' THEN
    INSERT INTO seen SELECT * FROM unnest(new_seen)
      ON CONFLICT (tenant, stream) DO UPDATE SET public_version = excluded.public_version;
  END IF;
  IF new_checkpoints <> '{}' THEN
    INSERT INTO checkpoints SELECT * FROM unnest(new_checkpoints)
      ON CONFLICT (reader) DO UPDATE SET position = excluded.position;
  END IF;
  IF new_holds <> '{}' THEN
    DELETE FROM holds USING unnest(new_holds) AS n
      WHERE (holds.policy, holds.tenant, holds.key, holds.position) = (n.policy, n.tenant, n.key, n.position)
        AND n.tries IS NULL;
    INSERT INTO holds SELECT * FROM unnest(new_holds) WHERE tries IS NOT NULL
      ON CONFLICT (policy, tenant, key, position) DO UPDATE
        SET tries = excluded.tries, retry_at = excluded.retry_at, parked = excluded.parked, reason = excluded.reason;
  END IF;
END $$;
REVOKE EXECUTE ON FUNCTION append FROM PUBLIC;
