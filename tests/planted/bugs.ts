/**
 * Bugs to plant in the product, each with the tests that must go red. A test that stays green with its bug in place
 * proves nothing. `find` must occur exactly once in the file, so that a bug cannot silently miss its place.
 */
export interface PlantedBug {
  /** Which promise it breaks. */
  readonly part: string;
  readonly bug: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** What Jest is asked to run: a path, and part of a test's name where one is enough. */
  readonly tests: string;
  readonly name?: string;
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    part: 'auditor',
    bug: 'a hole is not noted as missing',
    file: 'server/audit/journal.ts',
    find: 'this.missing.append(this.next, offset - 1);',
    replace: '',
    tests: 'tests/unit/audit',
  },
  {
    part: 'auditor',
    bug: 'what the history holds is not compared',
    file: 'server/audit/channel-audit.ts',
    find: 'else if (claim !== ',
    replace: 'else if (truth.id === "" && claim !== ',
    tests: 'tests/unit/audit',
  },
  {
    part: 'fault harness',
    bug: 'a blackhole lets everything through',
    file: 'tests/support/faults/tcp-proxy.ts',
    find: 'if (!swallowed) this.send(',
    replace: 'this.send(',
    tests: 'tests/unit/support',
  },
  {
    part: 'degraded mode',
    bug: 'nobody listens for the canary',
    file: 'server/backplane/redis.ts',
    find: 'onDeaf: () => this.goDeaf(),',
    replace: 'onDeaf: () => {},',
    tests: 'tests/integration/backplane-faults',
    name: 'deaf',
  },
  {
    part: 'degraded mode',
    bug: 'the canary writes nothing, so a demoted primary goes unnoticed',
    file: 'server/backplane/redis.ts',
    find: "commands.set(this.canaryChannel, song, 'PX', canaryTimeoutMs).catch(() => {});",
    replace: 'void canaryTimeoutMs;',
    tests: 'tests/integration/backplane-faults',
    name: 'failover',
  },
  {
    part: 'degraded mode',
    bug: 'the history is not checked for what nobody announced',
    file: 'server/hub/hub.ts',
    find: 'for (const [name, top] of tops) this.channels.get(name)?.noteTop(epoch, top);',
    replace: 'void tops;',
    tests: 'tests/integration/backplane-faults',
  },
  {
    part: 'Postgres loss',
    bug: 'an outage is never noticed, every publish waits for its own timeout',
    file: 'server/history/history.ts',
    find: '      if (isOutage(error)) this.outage.begin();\n      throw historyError(error);',
    replace: '      throw historyError(error);',
    tests: 'tests/integration/postgres-faults',
    name: 'paused',
  },
  {
    part: 'Postgres loss',
    bug: 'connections are opened when they are needed and closed when they are not',
    file: 'server/history/pool.ts',
    find: 'idleTimeoutMillis: 0,',
    replace: 'idleTimeoutMillis: 100,',
    tests: 'tests/integration/postgres-faults',
    name: 'others have taken',
  },
  {
    part: 'Postgres loss',
    bug: 'a retry is stored again',
    file: 'server/history/migrations/0001_history.sql',
    find: "k.created_at > created - interval '24 hours'",
    replace: 'false',
    tests: 'tests/integration/postgres-faults',
    name: 'answer is lost',
  },
  {
    part: 'Postgres loss',
    bug: 'a publish whose outcome is unknown is acknowledged',
    file: 'server/history/lane.ts',
    find: 'for (const waiting of batch) waiting.reject(error);',
    replace:
      "void error; for (const waiting of batch) waiting.resolve({ epoch: 'e', offset: 1, id: 'x', createdAt: 0, duplicate: false });",
    tests: 'tests/integration/postgres-faults',
    name: 'killed',
  },
  {
    part: 'slow consumers',
    bug: 'a connection never falls behind',
    file: 'server/gateway/connection.ts',
    find: 'if (this.socket.writableLength < this.highWaterBytes) return true;',
    replace: 'return true;',
    tests: 'tests/integration/slow-consumers',
  },
  {
    part: 'slow consumers',
    bug: 'who was behind stays where it fell',
    file: 'server/hub/channel.ts',
    find: "subscription.state = 'catching-up';\n    subscription.position = position;",
    replace: "subscription.state = 'catching-up';",
    tests: 'tests/integration/slow-consumers',
  },
  {
    part: 'drain',
    bug: 'everybody is asked to leave at once',
    file: 'server/gateway/drain.ts',
    find: 'waiting.splice(0, Math.floor(allowance))',
    replace: 'waiting.splice(0)',
    tests: 'tests/integration/rolling-restart',
  },
  {
    part: 'drain',
    bug: 'a deregistered node goes on as if nothing had happened',
    file: 'server/node.ts',
    find: "gateway.drain().catch((error: unknown) => onError('The drain failed.', error));",
    replace: '',
    tests: 'tests/integration/drain-deregistered',
  },
  {
    part: 'herd',
    bug: 'everybody reads for himself',
    file: 'server/hub/pages.ts',
    find: 'let read = this.inFlight.get(key);',
    replace: 'let read = undefined as ReturnType<typeof this.inFlight.get>;',
    tests: 'tests/integration/herd',
  },
  {
    part: 'herd',
    bug: 'everybody is let in at once',
    file: 'server/gateway/upgrade.ts',
    find: 'if (waitMs === 0) return undefined;',
    replace: 'if (waitMs >= 0) return undefined;',
    tests: 'tests/integration/herd',
  },
  {
    part: 'retention',
    bug: 'an expired day is dropped in front of its readers',
    file: 'server/history/retention.ts',
    find: "'FINALIZE' : 'CONCURRENTLY'",
    replace: "'FINALIZE' : ''",
    tests: 'tests/integration/retention',
    name: 'expired days',
  },
  {
    part: 'retention',
    bug: 'what is gone is skipped without a word',
    file: 'server/hub/pages.ts',
    find: 'lost: top > offset };',
    replace: 'lost: false };',
    tests: 'tests/integration/retention',
    name: 'expired days',
  },
  {
    part: 'epoch',
    bug: 'a history that went back goes unnoticed',
    file: 'server/hub/tops-check.ts',
    find: '(tops.get(name) ?? 0) < held.top',
    replace: '(tops.get(name) ?? 0) < 0',
    tests: 'tests/integration/retention',
    name: 'is noticed by the nodes',
  },
];
