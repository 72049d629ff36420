/** The debounce of the typing indicator. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { TypingDebounce } from '../../../../server/client/typing.ts';

describe('TypingDebounce', () => {
  let sent: string[] = [];
  let connected = true;
  let debounce: TypingDebounce;

  beforeEach(() => {
    jest.useFakeTimers();
    sent = [];
    connected = true;
    debounce = new TypingDebounce((type) => {
      if (connected) sent.push(type);
      return connected;
    });
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  test('sends at most one start per second while the user types', () => {
    for (let at = 0; at < 3_000; at += 50) {
      debounce.typing();
      jest.advanceTimersByTime(50);
    }
    expect(sent).toEqual(['typing_start', 'typing_start', 'typing_start']);
  });

  test('sends one stop after three seconds without a keystroke', () => {
    debounce.typing();
    jest.advanceTimersByTime(2_999);
    expect(sent).toEqual(['typing_start']);
    jest.advanceTimersByTime(10_000);
    expect(sent).toEqual(['typing_start', 'typing_stop']);
  });

  test('a stop without a start sends nothing, and stopping does not bypass the debounce', () => {
    debounce.stop();
    for (let i = 0; i < 5; i++) {
      debounce.typing();
      debounce.stop();
    }
    expect(sent.filter((type) => type === 'typing_start')).toHaveLength(1);
  });

  test('sends a new start after the second is over when the user sends and types on', () => {
    debounce.typing();
    debounce.stop();
    jest.advanceTimersByTime(100);
    debounce.typing();
    debounce.typing();
    jest.advanceTimersByTime(899);
    expect(sent).toEqual(['typing_start', 'typing_stop']);
    jest.advanceTimersByTime(1);
    expect(sent).toEqual(['typing_start', 'typing_stop', 'typing_start']);
    jest.advanceTimersByTime(10_000);
    expect(sent).toEqual(['typing_start', 'typing_stop', 'typing_start', 'typing_stop']);
  });

  test('drops keystrokes while offline, without starting the debounce', () => {
    connected = false;
    debounce.typing();
    connected = true;
    debounce.typing();
    expect(sent).toEqual(['typing_start']);
  });

  test('reset clears all timers', () => {
    debounce.typing();
    debounce.reset();
    expect(jest.getTimerCount()).toBe(0);
  });
});
