/** Which states count as a deregistration, and how often the state is polled. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Registration, type TargetState, watchDeregistration } from '../../../../../server/aws/deregistration/watch.ts';

type Answer = TargetState | Error | Promise<TargetState>;

const INTERVAL_MS = 1_000;
const MIDDLE = 0.5;

beforeEach(() => void jest.useFakeTimers({ now: 0 }));
afterEach(() => void jest.useRealTimers());

/** A watch whose polls get these answers in turn; the last answer repeats. */
function scripted(answers: readonly Answer[], random: () => number = () => MIDDLE) {
  const seen = {
    polledAt: [] as number[],
    changes: [] as TargetState[],
    errors: [] as unknown[],
    deregistered: [] as TargetState[],
  };
  const watch = watchDeregistration({
    state: async () => {
      const answer = answers[Math.min(seen.polledAt.length, answers.length - 1)] as Answer;
      seen.polledAt.push(Date.now());
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
    ['draining after its group was not in use', ['healthy', 'unused', 'draining'], 2],
    ['absent twice', ['healthy', 'absent', 'absent'], 2],
    ['absent twice after its group was not in use', ['initial', 'unused', 'absent', 'absent'], 3],
  ])('%s: yes', (_what, states, at) => expect(ends(states)).toBe(at));

  test.each<[string, TargetState[]]>([
    ['absent before it was registered', ['absent', 'absent', 'absent']],
    ['draining before it was registered: an earlier task had the same address', ['draining', 'draining', 'initial']],
    ['in a group that no listener uses', ['unused', 'unused', 'healthy', 'unused', 'unused', 'unused']],
    ['unavailable', ['unavailable', 'absent', 'absent', 'healthy', 'unavailable', 'unavailable']],
    ['absent once: a stale answer', ['healthy', 'absent', 'healthy', 'absent', 'unused', 'absent']],
    ['unhealthy', ['healthy', 'unhealthy', 'unhealthy.draining', 'unhealthy']],
  ])('%s: no', (_what, states) => expect(ends(states)).toBe(-1));
});

describe('watchDeregistration', () => {
  test('reports a deregistration once and stops polling', async () => {
    const { seen } = scripted(['initial', 'healthy', 'healthy', 'draining']);
    await pass(60_000);
    expect(seen).toMatchObject({ deregistered: ['draining'], changes: ['initial', 'healthy', 'draining'], errors: [] });
    expect(seen.polledAt).toHaveLength(4);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('every error is reported, and none counts as a deregistration', async () => {
    const down = new Error('down');
    const { seen } = scripted(['healthy', 'absent', ...Array<Error>(50).fill(down), 'healthy', 'healthy', 'draining']);
    await pass(45 * 4_000);
    expect(seen.errors.length).toBeGreaterThan(40);
    expect(seen.deregistered).toEqual([]);
    await pass(20 * 4_000);
    expect(seen.errors).toEqual(Array(50).fill(down));
    expect(seen.deregistered).toEqual(['draining']);
  });

  test('after errors the pause doubles up to four intervals, and the next answer resets it', async () => {
    const error = new Error('throttled');
    const { seen } = scripted(['healthy', error, error, error, error, 'healthy', 'healthy', 'draining']);
    await pass(60_000);
    expect(gaps(seen.polledAt)).toEqual([1, 2, 4, 4, 4, 1, 1].map((times) => times * INTERVAL_MS));
  });

  test('polls again only after an answer, however late it is', async () => {
    let answer: (state: TargetState) => void = () => {};
    const late = new Promise<TargetState>((resolve) => (answer = resolve));
    const { seen } = scripted(['healthy', late, 'draining']);
    await pass(100_000);
    expect(seen.polledAt).toHaveLength(2);
    answer('healthy');
    await pass(INTERVAL_MS);
    expect(seen.deregistered).toEqual(['draining']);
  });

  test('pauses vary around the interval, and the first poll comes within one interval', async () => {
    const all = Array.from({ length: 50 }, () => scripted(['healthy'], Math.random).seen.polledAt);
    await pass(100 * INTERVAL_MS);
    const first = all.map(([at]) => at as number);
    expect(Math.max(...first)).toBeLessThanOrEqual(INTERVAL_MS);
    // 50 random numbers are all in one half once in 10^15 runs.
    expect(Math.min(...first)).toBeLessThan(INTERVAL_MS / 2);
    expect(Math.max(...first)).toBeGreaterThan(INTERVAL_MS / 2);
    const pauses = all.flatMap(gaps);
    expect(pauses.length).toBeGreaterThan(4_000);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(0.8 * INTERVAL_MS);
    expect(Math.min(...pauses)).toBeLessThan(0.85 * INTERVAL_MS);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(1.2 * INTERVAL_MS);
    expect(Math.max(...pauses)).toBeGreaterThan(1.15 * INTERVAL_MS);
  });

  test('after stop there is no poll, and an outstanding answer or error calls nothing', async () => {
    const idle = scripted(['healthy']);
    await pass(INTERVAL_MS);
    idle.watch.stop();
    for (const late of ['draining', new Error('late')] as const) {
      let settle: () => void = () => {};
      const answer = new Promise<TargetState>((resolve, reject) => {
        settle = () => (late instanceof Error ? reject(late) : resolve(late));
      });
      const polling = scripted(['healthy', answer]);
      await pass(2 * INTERVAL_MS);
      expect(polling.seen.polledAt).toHaveLength(2);
      polling.watch.stop();
      settle();
      await pass(60_000);
      expect(polling.seen).toMatchObject({ changes: ['healthy'], deregistered: [], errors: [] });
      expect(polling.seen.polledAt).toHaveLength(2);
    }
    expect(idle.seen.polledAt).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('after stop from within a callback, no other callback is called', async () => {
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
