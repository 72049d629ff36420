/** A ticket is accepted once, within ten seconds, and no other credential is accepted as one. */
import { expect, jest, test } from '@jest/globals';
import { SignJWT } from 'jose';
import { deriveTicketSecret, ReplayedTicketError, TICKET_TTL_MS, Tickets } from '../../../../server/auth/tickets.ts';
import type { Identity } from '../../../../server/auth/tokens.ts';
import type { OnceStore } from '../../../../server/backplane/types.ts';

const JWT_SECRET = 'j'.repeat(32);
const secret = deriveTicketSecret(JWT_SECRET);
const identity: Identity = { user: 'ada', channels: { subscribe: ['room:*'] }, expiresAt: 4e12 };

function sharedStore(): OnceStore {
  const taken = new Set<string>();
  return { take: async (id) => !taken.has(id) && Boolean(taken.add(id)) };
}

test('a ticket contains the identity and the end of the session', async () => {
  const tickets = new Tickets({ secret, once: sharedStore() });
  expect(await tickets.redeem(await tickets.issue(identity))).toEqual({ identity, use: 'ok' });
});

test('a second use is refused, by the same node and by another', async () => {
  const once = sharedStore();
  const [here, there] = [new Tickets({ secret, once }), new Tickets({ secret, once })];
  const ticket = await here.issue(identity);
  await there.redeem(ticket);
  await expect(here.redeem(ticket)).rejects.toBeInstanceOf(ReplayedTicketError);
  await expect(there.redeem(ticket)).rejects.toBeInstanceOf(ReplayedTicketError);
});

test('without the store a ticket is accepted once on this node, and marked unchecked', async () => {
  const tickets = new Tickets({ secret, once: { take: () => Promise.reject(new Error('away')) } });
  const ticket = await tickets.issue(identity);
  expect((await tickets.redeem(ticket)).use).toBe('unchecked');
  await expect(tickets.redeem(ticket)).rejects.toBeInstanceOf(ReplayedTicketError);
});

test('a ticket expires after ten seconds', async () => {
  const tickets = new Tickets({ secret, once: undefined });
  const [early, late] = [await tickets.issue(identity), await tickets.issue(identity)];
  const issued = Date.now();
  const clock = jest.spyOn(Date, 'now').mockReturnValue(issued + TICKET_TTL_MS - 1_500);
  jest.useFakeTimers({
    now: issued + TICKET_TTL_MS - 1_500,
    doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'],
  });
  await tickets.redeem(early);
  jest.setSystemTime(issued + TICKET_TTL_MS + 1_000);
  clock.mockRestore();
  await expect(tickets.redeem(late)).rejects.toMatchObject({ code: 'unauthenticated' });
  jest.useRealTimers();
});

test('a token, a ticket of another key and a ticket without its type are refused', async () => {
  const tickets = new Tickets({ secret, once: undefined });
  const make = (key: string, typ: string, claims = {}) =>
    new SignJWT({ session_exp: 4e12, ...claims })
      .setProtectedHeader({ alg: 'HS256', typ })
      .setSubject('ada')
      .setJti('x')
      .setExpirationTime('5s')
      .sign(new TextEncoder().encode(key));
  await tickets.redeem(await make(secret, 'ticket'));
  const impostors = [
    make(JWT_SECRET, 'ticket'),
    make(secret, 'JWT'),
    make(secret, 'ticket', { session_exp: undefined }),
    Promise.resolve('x.y.z'),
    Promise.resolve(''),
  ];
  for (const impostor of impostors)
    await expect(tickets.redeem(await impostor)).rejects.toMatchObject({ code: 'unauthenticated' });
});

test('only signatures with HS256 are accepted', async () => {
  const tickets = new Tickets({ secret, once: undefined });
  const claims = { sub: 'ada', jti: 'x', session_exp: 4e12, exp: Math.floor(Date.now() / 1000) + 5 };
  const sign = (alg: string) =>
    new SignJWT(claims).setProtectedHeader({ alg, typ: 'ticket' }).sign(new TextEncoder().encode(secret));
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const unsigned = `${part({ alg: 'none', typ: 'ticket' })}.${part(claims)}.`;
  const ticket = await tickets.issue(identity);
  const [head, , signature] = ticket.split('.');
  const stolen = `${head}.${part({ ...claims, sub: 'ben' })}.${signature}`;
  for (const forged of [unsigned, stolen, await sign('HS384'), await sign('HS512')])
    await expect(tickets.redeem(forged)).rejects.toMatchObject({ code: 'unauthenticated' });
  expect((await tickets.redeem(ticket)).identity.user).toBe('ada');
});

test('a refused ticket is not recorded, and a used one is recorded for longer than its life', async () => {
  const taken: string[] = [];
  const take: OnceStore['take'] = async (id, ttlMs) => {
    expect(ttlMs).toBeGreaterThan(TICKET_TTL_MS);
    taken.push(id);
    return true;
  };
  const tickets = new Tickets({ secret, once: { take } });
  const [first = '', second = ''] = [await tickets.issue(identity), await tickets.issue(identity)];
  await expect(tickets.redeem(`${first}x`)).rejects.toMatchObject({ code: 'unauthenticated' });
  expect(taken).toEqual([]);
  expect((await tickets.redeem(first)).use).toBe('ok');
  expect((await tickets.redeem(second)).use).toBe('ok');
  expect(new Set(taken).size).toBe(2);
});
