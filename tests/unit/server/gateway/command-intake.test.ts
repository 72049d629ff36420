/** `CommandIntake`: a refused command is answered and not returned, and a connection that goes on sending refused commands is closed. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { CommandIntake } from '../../../../server/gateway/command-intake.ts';
import type { Connection } from '../../../../server/gateway/connection.ts';
import type { SessionContext } from '../../../../server/gateway/session-context.ts';
import type { ErrorPush, Push } from '../../../../server/protocol/messages.ts';

/** Commands per second; the burst is twice as much. */
const RATE = 5;
const BURST = 2 * RATE;
const PING = '{"type":"ping"}';
const INVALID = '{"type":"subscribe","id":"bad","channel":""}';

function setUp(commandRate = RATE) {
  const pushes: Push[] = [];
  const closed: string[] = [];
  const counted: unknown[][] = [];
  const connection = {
    push: (push: Push) => void pushes.push(push),
    close: (reason: string) => void closed.push(reason),
  } as unknown as Connection;
  const context = {
    commandRate,
    metrics: { add: (...entry: unknown[]) => void counted.push(entry) },
    onError: () => {},
  } as unknown as SessionContext;
  const intake = new CommandIntake(connection, context);
  const takeMany = (count: number, text: string) => Array.from({ length: count }, () => intake.take(text));
  return { intake, takeMany, pushes, closed, counted };
}

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

test('a valid command is returned and counted, and nothing is sent', () => {
  const { intake, pushes, counted } = setUp();
  expect(intake.take('{"type":"subscribe","id":"1","channel":"c"}')).toEqual({
    type: 'subscribe',
    id: '1',
    channel: 'c',
  });
  expect(pushes).toEqual([]);
  expect(counted).toEqual([['holdfast.commands', 1, { type: 'subscribe' }]]);
});

describe('an invalid frame', () => {
  test('is answered with its reason, and with its id if it has one', () => {
    const { intake, pushes, counted } = setUp();
    expect([intake.take(INVALID), intake.take('{')]).toEqual([undefined, undefined]);
    expect(pushes).toEqual([
      { type: 'error', id: 'bad', code: 'bad_request', message: expect.stringContaining('channel') },
      { type: 'error', code: 'bad_request', message: expect.stringContaining('JSON') },
    ]);
    expect(counted).toEqual([
      ['holdfast.errors', 1, { code: 'bad_request' }],
      ['holdfast.errors', 1, { code: 'bad_request' }],
    ]);
  });

  test('closes the connection when it is the tenth, also with valid ones between', () => {
    const { intake, pushes, closed } = setUp(1_000);
    for (let frames = 0; frames < 9; frames++) {
      intake.take(INVALID);
      intake.take(PING);
    }
    expect(closed).toEqual([]);
    intake.take(INVALID);
    expect(closed).toEqual(['protocol_violation']);
    // The close frame does not replace the answer.
    expect(pushes).toHaveLength(10);
  });
});

describe('over the command rate', () => {
  test('a burst of twice the rate is taken, and the next command is refused until retry_after_ms have passed', () => {
    const { intake, takeMany, pushes } = setUp();
    expect(takeMany(BURST + 1, PING).map((command) => command?.type)).toEqual([
      ...Array.from({ length: BURST }, () => 'ping'),
      undefined,
    ]);
    expect(pushes).toEqual([
      { type: 'error', code: 'rate_limited', message: expect.stringContaining('COMMAND_RATE'), retry_after_ms: 200 },
    ]);
    jest.advanceTimersByTime(199);
    expect(intake.take(PING)).toBeUndefined();
    jest.advanceTimersByTime(1);
    expect(intake.take(PING)).toEqual({ type: 'ping' });
    expect(intake.take(PING)).toBeUndefined();
  });

  test('the answer has the id of the command, valid or not, and the command is not counted', () => {
    const { intake, takeMany, pushes, counted } = setUp();
    takeMany(BURST, PING);
    intake.take('{"type":"subscribe","id":"1","channel":"c"}');
    intake.take(INVALID);
    expect(pushes).toMatchObject([
      { code: 'rate_limited', id: '1' },
      { code: 'rate_limited', id: 'bad' },
    ]);
    expect(counted.filter(([name]) => name === 'holdfast.commands')).toHaveLength(BURST);
  });

  test('invalid frames are refused for the rate too, and then do not count as invalid', () => {
    const { takeMany, pushes, closed } = setUp(4);
    takeMany(8, INVALID);
    takeMany(20, INVALID);
    expect(closed).toEqual([]);
    expect((pushes as ErrorPush[]).map(({ code }) => code)).toEqual([
      ...Array.from({ length: 8 }, () => 'bad_request'),
      ...Array.from({ length: 20 }, () => 'rate_limited'),
    ]);
  });

  test('the connection is closed after 1,000 refusals', () => {
    const { intake, takeMany, closed } = setUp();
    takeMany(BURST + 1_000, PING);
    expect(closed).toEqual([]);
    intake.take(PING);
    expect(closed).toEqual(['rate_limited']);
  });
});
