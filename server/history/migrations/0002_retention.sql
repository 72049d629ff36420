-- Creates partitions while readers and writers run. Attaching takes SHARE UPDATE EXCLUSIVE on the parent. CREATE TABLE … PARTITION
-- OF takes ACCESS EXCLUSIVE: it waits for every reader, and every writer queues behind it.
CREATE OR REPLACE FUNCTION ensure_partitions(days_ahead integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  parent text;
  day    date;
  part   text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('holdfast ensure_partitions'));
  FOREACH parent IN ARRAY ARRAY['messages', 'message_keys'] LOOP
    -- From yesterday, so that a clock that steps back over midnight still finds a partition.
    FOR day IN SELECT (now() AT TIME ZONE 'UTC')::date + n FROM generate_series(-1, days_ahead) n LOOP
      part := parent || '_' || to_char(day, 'YYYYMMDD');
      IF to_regclass(format('%I', part)) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part,
          to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
      END IF;
    END LOOP;
  END LOOP;
END $$;

-- Changes the epoch if it is still `seen`, in which a node found committed messages missing. Of several nodes, one succeeds.
CREATE FUNCTION change_epoch_from(seen text) RETURNS boolean LANGUAGE sql AS $$
  WITH changed AS (
    UPDATE history_epoch SET epoch = left(replace(gen_random_uuid()::text, '-', ''), 12) WHERE epoch = seen RETURNING 1
  )
  SELECT count(*) = 1 FROM changed
$$;
