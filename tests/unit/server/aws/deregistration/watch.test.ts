/** When a node believes that it is being taken out of service, when it does not, and how often it asks. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Registration, type TargetState, watchDeregistration } from '../../../../../server/aws/deregistration/watch.ts';

type Answer = TargetState | Error | Promise<TargetState>;

const INTERVAL_MS = 1_000;
const MIDDLE = 0.5;

beforeEach(() => void jest.useFakeTimers({ now: 0 }));
afterEach(() => void jest.useRealTimers());

/** A watch whose questions are answered with these one by one, the last one for ever. */
function scripted(answers: readonly Answer[], random: () => number = () => MIDDLE) {
  const seen = {
    askedAt: [] as number[],
    changes: [] as TargetState[],
    errors: [] as unknown[],
    deregistered: [] as TargetState[],
  };
  const watch = watchDeregistration({
    state: async () => {
      const answer = answers[Math.min(seen.askedAt.length, answers.length - 1)] as Answer;
      seen.askedAt.push(Date.now());
      if (answer instanceof Error) throw answer;
      return answer;
    },
    intervalMs: INTERVAL_MS,
    random,
    onChange: (state) => seen.changes.push(state),
    onError: (error) => seen.errors.push(error),
    onDeregistered: (state) => seen.deregistered.push(state),
  });
  return { seen, watch };
}

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const gaps = (times: readonly number[]) => times.slice(1).map((time, i) => time - (times[i] as number));

describe('what counts as deregistered', () => {
  const ends = (states: readonly TargetState[]) => {
    const registration = new Registration();
    return states.map((state) => registration.endsWith(state)).indexOf(true);
  };

  test.each<[string, TargetState[], number]>([
    ['draining', ['healthy', 'draining'], 1],
    ['draining before it was ever healthy', ['absent', 'initial', 'draining'], 2],
    ['draining while unhealthy', ['unhealthy', 'draining'], 1],
    ['draining after its group was in no use', ['healthy', 'unused', 'draining'], 2],
    ['absent twice', ['healthy', 'absent', 'absent'], 2],
    ['absent twice after its group was in no use', ['initial', 'unused', 'absent', 'absent'], 3],
  ])('%s: yes', (_what, states, at) => expect(ends(states)).toBe(at));

  test.each<[string, TargetState[]]>([
    ['absent before it was registered', ['absent', 'absent', 'absent']],
    ['draining before it was registered: another task with the same address', ['draining', 'draining', 'initial']],
    ['in a group that no listener uses', ['unused', 'unused', 'healthy', 'unused', 'unused', 'unused']],
    ['not known', ['unavailable', 'absent', 'absent', 'healthy', 'unavailable', 'unavailable']],
    ['absent once, as a stale answer says', ['healthy', 'absent', 'healthy', 'absent', 'unused', 'absent']],
    ['unhealthy', ['healthy', 'unhealthy', 'unhealthy.draining', 'unhealthy']],
  ])('%s: no', (_what, states) => expect(ends(states)).toBe(-1));
});

describe('watchDeregistration', () => {
  test('tells once and asks no more', async () => {
    const { seen } = scripted(['initial', 'healthy', 'healthy', 'draining']);
    await pass(60_000);
    expect(seen).toMatchObject({ deregistered: ['draining'], changes: ['initial', 'healthy', 'draining'], errors: [] });
    expect(seen.askedAt).toHaveLength(4);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('errors are reported, every one, and never taken for a deregistration', async () => {
    const down = new Error('down');
    const { seen } = scripted(['healthy', 'absent', ...Array<Error>(50).fill(down), 'healthy', 'healthy', 'draining']);
    await pass(45 * 4_000);
    expect(seen.errors.length).toBeGreaterThan(40);
    expect(seen.deregistered).toEqual([]);
    await pass(20 * 4_000);
    expect(seen.errors).toEqual(Array(50).fill(down));
    expect(seen.deregistered).toEqual(['draining']);
  });

  test('after errors it asks less often, up to a fourth, and as often as before once it is answered', async () => {
    const error = new Error('throttled');
    const { seen } = scripted(['healthy', error, error, error, error, 'healthy', 'healthy', 'draining']);
    await pass(60_000);
    expect(gaps(seen.askedAt)).toEqual([1, 2, 4, 4, 4, 1, 1].map((times) => times * INTERVAL_MS));
  });

  test('asks anew only after an answer, however late that is', async () => {
    let answer: (state: TargetState) => void = () => {};
    const late = new Promise<TargetState>((resolve) => (answer = resolve));
    const { seen } = scripted(['healthy', late, 'draining']);
    await pass(100_000);
    expect(seen.askedAt).toHaveLength(2);
    answer('healthy');
    await pass(INTERVAL_MS);
    expect(seen.deregistered).toEqual(['draining']);
  });

  test('pauses vary around the interval, and the first question comes within it', async () => {
    const all = Array.from({ length: 50 }, () => scripted(['healthy'], Math.random).seen.askedAt);
    await pass(100 * INTERVAL_MS);
    const first = all.map(([at]) => at as number);
    expect(Math.max(...first)).toBeLessThanOrEqual(INTERVAL_MS);
    // 50 random numbers: all in one half happens once in 10^15 runs.
    expect(Math.min(...first)).toBeLessThan(INTERVAL_MS / 2);
    expect(Math.max(...first)).toBeGreaterThan(INTERVAL_MS / 2);
    const pauses = all.flatMap(gaps);
    expect(pauses.length).toBeGreaterThan(4_000);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(0.8 * INTERVAL_MS);
    expect(Math.min(...pauses)).toBeLessThan(0.85 * INTERVAL_MS);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(1.2 * INTERVAL_MS);
    expect(Math.max(...pauses)).toBeGreaterThan(1.15 * INTERVAL_MS);
  });

  test('stopped, it asks no more, and an answer or an error on its way is not heard', async () => {
    const idle = scripted(['healthy']);
    await pass(INTERVAL_MS);
    idle.watch.stop();
    for (const late of ['draining', new Error('late')] as const) {
      let settle: () => void = () => {};
      const answer = new Promise<TargetState>((resolve, reject) => {
        settle = () => (late instanceof Error ? reject(late) : resolve(late));
      });
      const asking = scripted(['healthy', answer]);
      await pass(2 * INTERVAL_MS);
      expect(asking.seen.askedAt).toHaveLength(2);
      asking.watch.stop();
      settle();
      await pass(60_000);
      expect(asking.seen).toMatchObject({ changes: ['healthy'], deregistered: [], errors: [] });
      expect(asking.seen.askedAt).toHaveLength(2);
    }
    expect(idle.seen.askedAt).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('stopped from within a callback, it calls no other', async () => {
    const onDeregistered = jest.fn();
    const onError = jest.fn(() => watch.stop());
    const state = jest.fn(() => Promise.reject<TargetState>(new Error('down')));
    const watch = watchDeregistration({
      state,
      intervalMs: INTERVAL_MS,
      onError,
      onDeregistered,
    });
    await pass(60_000);
    expect([state, onError, onDeregistered].map((fn) => fn.mock.calls.length)).toEqual([1, 1, 0]);
    const answers: TargetState[] = ['healthy', 'draining'];
    const other = watchDeregistration({
      state: async () => answers.shift() ?? 'draining',
      intervalMs: INTERVAL_MS,
      onError,
      onDeregistered,
      onChange: (state) => state === 'draining' && other.stop(),
    });
    await pass(60_000);
    expect([answers, onDeregistered.mock.calls.length]).toEqual([[], 0]);
  });
});
