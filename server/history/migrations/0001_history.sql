-- The history: the source of truth for all published messages.
-- Lock order, kept by append_messages(): new channel names in name order, then channel rows in name order.

-- One row: the epoch of all offsets. It must change after a restore from backup (see change_epoch()).
CREATE TABLE history_epoch (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch    text NOT NULL
);
INSERT INTO history_epoch (epoch) VALUES (left(replace(gen_random_uuid()::text, '-', ''), 12));

-- One row per channel. `top` is the newest offset, incremented under the lock of the row, so that offsets have no holes
-- and a snapshot that sees an offset sees every smaller one. The fill factor leaves room for HOT updates.
CREATE TABLE channels (
  id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  top  bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- The messages, in daily partitions, so that retention drops a table instead of deleting rows.
-- `data` is JSON text that is sent unchanged. Not jsonb, which rejects \u0000 and reorders keys.
CREATE TABLE messages (
  channel_id bigint      NOT NULL,
  "offset"   bigint      NOT NULL,
  id         uuid        NOT NULL,
  sender     text        NOT NULL,
  data       text        NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (channel_id, "offset", created_at)
) PARTITION BY RANGE (created_at);

-- Idempotency keys. The row lock of the channel keeps them unique; an index over partitions cannot.
CREATE TABLE message_keys (
  channel_id    bigint      NOT NULL,
  sender        text        NOT NULL,
  client_msg_id text        NOT NULL,
  "offset"      bigint      NOT NULL,
  message_id    uuid        NOT NULL,
  created_at    timestamptz NOT NULL
) PARTITION BY RANGE (created_at);
CREATE INDEX message_keys_lookup ON message_keys (channel_id, sender, client_msg_id);

-- The channels of each batch and their new tops. A node reads the rows since its last read, at a cost that grows with commits
-- and not with channels. Its cursor is the oldest transaction id that was still running, so no commit is missed.
CREATE TABLE commits (
  xid      xid8        NOT NULL DEFAULT pg_current_xact_id(),
  at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  channels text[]      NOT NULL,
  tops     bigint[]    NOT NULL
);
CREATE INDEX commits_xid ON commits (xid);

-- Creates the daily partitions (UTC) from yesterday to `days_ahead`. Every node may call it at any time.
CREATE FUNCTION ensure_partitions(days_ahead integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  parent text;
  day    date;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('holdfast ensure_partitions'));
  FOREACH parent IN ARRAY ARRAY['messages', 'message_keys'] LOOP
    -- From yesterday, so that a clock that steps back over midnight still finds a partition.
    FOR day IN SELECT (now() AT TIME ZONE 'UTC')::date + n FROM generate_series(-1, days_ahead) n LOOP
      IF to_regclass(format('%I', parent || '_' || to_char(day, 'YYYYMMDD'))) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
          parent || '_' || to_char(day, 'YYYYMMDD'), parent,
          to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
      END IF;
    END LOOP;
  END LOOP;
END $$;

-- Call once after a restore from backup: positions from before the restore are no longer valid.
CREATE FUNCTION change_epoch() RETURNS text LANGUAGE sql AS $$
  UPDATE history_epoch SET epoch = left(replace(gen_random_uuid()::text, '-', ''), 12) RETURNING epoch
$$;

-- Appends a batch in one round trip and one commit. Message i (1-based) belongs to batch_channels[channel_of[i]];
-- keys[i] is its client_msg_id or null, and no (channel, sender, key) occurs twice in a batch.
-- firsts[c]: the offset of the first new message of batch_channels[c]; the others follow without holes, in batch order.
-- duplicates: the messages that were stored before, with their offsets and ids.
-- A function, because each of its statements takes a new snapshot: the look-up of keys must see the commits of transactions
-- that held the channel locks before.
CREATE FUNCTION append_messages(
  batch_channels text[], channel_of integer[], ids uuid[], senders text[], bodies text[], keys text[],
  OUT epoch text, OUT created_ms double precision, OUT firsts bigint[],
  OUT duplicates integer[], OUT duplicate_offsets bigint[], OUT duplicate_ids uuid[]
) LANGUAGE plpgsql AS $$
DECLARE
  created     timestamptz;
  channel_ids bigint[];
  tops        bigint[];
  fresh       integer[];
BEGIN
  INSERT INTO channels (name)
    SELECT n FROM unnest(batch_channels) AS n
    WHERE NOT EXISTS (SELECT FROM channels c WHERE c.name = n)
    ORDER BY n COLLATE "C"
    ON CONFLICT DO NOTHING;
  PERFORM FROM channels WHERE name = ANY (batch_channels) ORDER BY name FOR UPDATE;

  SELECT array_agg(c.id ORDER BY b.i), array_agg(c.top + 1 ORDER BY b.i) INTO channel_ids, firsts
    FROM unnest(batch_channels) WITH ORDINALITY AS b (name, i) JOIN channels c USING (name);
  SELECT e.epoch INTO epoch FROM history_epoch e;
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
  ), counted AS (
    UPDATE channels c SET top = g.top FROM grown g WHERE c.id = channel_ids[g.channel]
  )
  SELECT array_agg(channel), array_agg(top) INTO fresh, tops FROM grown;

  IF fresh IS NOT NULL THEN
    INSERT INTO commits (channels, tops)
      SELECT array_agg(batch_channels[f.channel]), tops FROM unnest(fresh) AS f (channel);
  END IF;
END $$;
