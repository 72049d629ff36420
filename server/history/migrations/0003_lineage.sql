-- The lineage of epochs: which positions survive when the database loses commits. See decisions/0015-lineage-of-epochs.md.
-- The first append at a database server that has started since the last append begins a new epoch.

-- All epochs in their order. An epoch that is not here was lost together with its messages.
CREATE TABLE history_epochs (
  seq   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  epoch text        NOT NULL UNIQUE,
  begun timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO history_epochs (epoch) SELECT epoch FROM history_epoch;

-- `server` and `written` say at which server the row was written, and by which transaction. A copy of the row by other means,
-- such as a dump, has another xmin.
ALTER TABLE history_epoch ADD COLUMN seq bigint NOT NULL DEFAULT 1, ADD COLUMN server text, ADD COLUMN written xid8;

-- Of each channel: the epoch in which it was created, and the epoch of its newest message.
ALTER TABLE channels ADD COLUMN born bigint NOT NULL DEFAULT 1, ADD COLUMN epoch_seq bigint NOT NULL DEFAULT 1;

-- The first offset of a channel in an epoch, for every epoch but the one in which the channel was created.
CREATE TABLE channel_epochs (
  channel_id bigint NOT NULL,
  seq        bigint NOT NULL,
  "first"    bigint NOT NULL,
  PRIMARY KEY (channel_id, seq)
);

-- Another value after every start of a server, and in every copy of a database.
CREATE FUNCTION server_identity() RETURNS text LANGUAGE sql STABLE AS $$
  SELECT extract(epoch FROM pg_postmaster_start_time())::text || ' ' || oid FROM pg_database WHERE datname = current_database()
$$;

-- Whether the row was written at this server, since its last start.
CREATE FUNCTION is_current(e history_epoch) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT e.server = server_identity() AND e.written::xid = (SELECT xmin FROM history_epoch)
$$;

UPDATE history_epoch SET server = server_identity(), written = pg_current_xact_id();

-- Returns the epoch that appends belong to. Begins a new one if commits may have been lost since the last append, or if the
-- epoch is still `replaced`. Of several nodes, one succeeds; the others wait and see its epoch.
CREATE FUNCTION current_epoch(replaced text DEFAULT NULL, OUT epoch text, OUT seq bigint, OUT begun boolean) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM history_epoch FOR UPDATE;
  begun := false;
  SELECT e.epoch, e.seq INTO epoch, seq FROM history_epoch e
    WHERE is_current(e) AND e.epoch IS DISTINCT FROM replaced;
  IF FOUND THEN RETURN; END IF;
  begun := true;
  INSERT INTO history_epochs (epoch) VALUES (left(replace(gen_random_uuid()::text, '-', ''), 12))
    RETURNING history_epochs.epoch, history_epochs.seq INTO epoch, seq;
  UPDATE history_epoch h SET epoch = current_epoch.epoch, seq = current_epoch.seq, server = server_identity(),
    written = pg_current_xact_id();
END $$;

CREATE OR REPLACE FUNCTION change_epoch_from(seen text) RETURNS boolean LANGUAGE sql AS $$
  SELECT begun FROM current_epoch(seen)
$$;

-- Makes every position older than the last append be compared with what is stored.
CREATE OR REPLACE FUNCTION change_epoch() RETURNS text LANGUAGE sql AS $$
  SELECT epoch FROM current_epoch((SELECT e.epoch FROM history_epoch e))
$$;

-- As before, and new: appends belong to the epoch of the server, and the first offset of each channel in it is kept.
CREATE OR REPLACE FUNCTION append_messages(
  batch_channels text[], channel_of integer[], ids uuid[], senders text[], bodies text[], keys text[],
  OUT epoch text, OUT created_ms double precision, OUT firsts bigint[],
  OUT duplicates integer[], OUT duplicate_offsets bigint[], OUT duplicate_ids uuid[]
) LANGUAGE plpgsql AS $$
DECLARE
  created     timestamptz;
  current_seq bigint;
  channel_ids bigint[];
  tops        bigint[];
  fresh       integer[];
BEGIN
  -- Before any channel is locked, so that two appends never wait for each other.
  SELECT e.epoch, e.seq INTO epoch, current_seq FROM history_epoch e WHERE is_current(e);
  IF NOT FOUND THEN
    SELECT e.epoch, e.seq INTO epoch, current_seq FROM current_epoch() e;
  END IF;

  INSERT INTO channels (name, born, epoch_seq)
    SELECT n, current_seq, current_seq FROM unnest(batch_channels) AS n
    WHERE NOT EXISTS (SELECT FROM channels c WHERE c.name = n)
    ORDER BY n COLLATE "C"
    ON CONFLICT DO NOTHING;
  PERFORM FROM channels WHERE name = ANY (batch_channels) ORDER BY name FOR UPDATE;

  SELECT array_agg(c.id ORDER BY b.i), array_agg(c.top + 1 ORDER BY b.i) INTO channel_ids, firsts
    FROM unnest(batch_channels) WITH ORDINALITY AS b (name, i) JOIN channels c USING (name);
  created := date_trunc('milliseconds', clock_timestamp());
  created_ms := extract(epoch FROM created) * 1000;

  IF array_remove(keys, NULL) <> '{}' THEN
    SELECT array_agg(m.i), array_agg(k."offset"), array_agg(k.message_id)
      INTO duplicates, duplicate_offsets, duplicate_ids
      FROM unnest(channel_of, senders, keys) WITH ORDINALITY AS m (channel, sender, key, i)
      JOIN message_keys k ON k.channel_id = channel_ids[m.channel] AND k.sender = m.sender AND k.client_msg_id = m.key
      WHERE m.key IS NOT NULL AND k.created_at > created - interval '24 hours';
  END IF;

  WITH batch AS (
    SELECT m.i, m.channel, m.id, m.sender, m.body, m.key,
      firsts[m.channel] - 1 + row_number() OVER (PARTITION BY m.channel ORDER BY m.i) AS new_offset
    FROM unnest(channel_of, ids, senders, bodies, keys) WITH ORDINALITY AS m (channel, id, sender, body, key, i)
    WHERE duplicates IS NULL OR m.i <> ALL (duplicates)
  ), stored AS (
    INSERT INTO messages (channel_id, "offset", id, sender, data, created_at)
      SELECT channel_ids[channel], new_offset, id, sender, body, created FROM batch
  ), keyed AS (
    INSERT INTO message_keys (channel_id, sender, client_msg_id, "offset", message_id, created_at)
      SELECT channel_ids[channel], sender, key, new_offset, id, created FROM batch WHERE key IS NOT NULL
  ), grown AS (
    SELECT channel, max(new_offset) AS top FROM batch GROUP BY channel
  ), entered AS (
    INSERT INTO channel_epochs (channel_id, seq, "first")
      SELECT c.id, current_seq, firsts[g.channel] FROM grown g JOIN channels c ON c.id = channel_ids[g.channel]
      WHERE c.epoch_seq <> current_seq
  ), counted AS (
    UPDATE channels c SET top = g.top, epoch_seq = current_seq FROM grown g WHERE c.id = channel_ids[g.channel]
  )
  SELECT array_agg(channel), array_agg(top) INTO fresh, tops FROM grown;

  IF fresh IS NOT NULL THEN
    INSERT INTO commits (channels, tops)
      SELECT array_agg(batch_channels[f.channel]), tops FROM unnest(fresh) AS f (channel);
  END IF;
END $$;
