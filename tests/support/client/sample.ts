/**
 * An application that uses the client package. It is a text, because `@holdfast/client` exists only where the package is
 * installed. It must stay free of globals of Node and of browsers, so that the tests can run it on both.
 */
export const SAMPLE = `
import {
  type ClientOptions,
  createClient,
  type HoldfastClient,
  HoldfastError,
  type Message,
  type Position,
  type PublishResult,
  type Subscription,
  type Welcome,
} from '@holdfast/client';

export interface Exchange {
  readonly user: string;
  readonly live: readonly number[];
  readonly recovered: readonly number[];
  readonly refusal: string;
}

/** Publishes three messages, receives them, recovers the last two from a position, and is refused one subscription. */
export async function exchange(url: string, token: string, channel: string): Promise<Exchange> {
  const options: ClientOptions = { url, token: () => Promise.resolve(token), backoff: { baseMs: 100 } };
  const client: HoldfastClient = createClient(options);
  try {
    const live = follow(client, channel, 3);
    const welcome: Welcome = await client.connect();
    await live.started;
    const results: PublishResult[] = [];
    for (const text of ['one', 'two', 'three']) results.push(await client.publish(channel, { text }));
    const messages = await live.received;
    live.subscription.unsubscribe();
    const first = results[0];
    if (first === undefined) throw new Error('There is no first result.');
    const recovered = follow(client, channel, 2, { epoch: first.epoch, offset: first.offset });
    return {
      user: welcome.user,
      live: messages.map(({ offset }) => offset),
      recovered: (await recovered.received).map(({ offset }) => offset),
      refusal: refusalOf(() => client.subscribe(channel, { onMessage: () => undefined })),
    };
  } finally {
    client.close();
  }
}

/** The code of the error of a client that cannot connect. */
export async function failure(url: string, token: string): Promise<string> {
  const client = createClient({ url, token });
  try {
    await client.connect();
    return 'connected';
  } catch (error) {
    return error instanceof HoldfastError ? error.code + ': ' + error.message : String(error);
  } finally {
    client.close();
  }
}

interface Following {
  readonly subscription: Subscription;
  readonly started: Promise<Position>;
  readonly received: Promise<Message[]>;
}

function follow(client: HoldfastClient, channel: string, count: number, recover?: Position): Following {
  const messages: Message[] = [];
  let start: (position: Position) => void;
  let finish: (messages: Message[]) => void;
  const started = new Promise<Position>((resolve) => (start = resolve));
  const received = new Promise<Message[]>((resolve) => (finish = resolve));
  const subscription = client.subscribe(channel, {
    ...(recover === undefined ? {} : { recover }),
    onSubscribed: ({ position }) => start(position),
    onMessage: (message) => {
      if (messages.push(message) === count) finish(messages);
    },
  });
  return { subscription, started, received };
}

function refusalOf(subscribe: () => Subscription): string {
  try {
    subscribe();
    return 'none';
  } catch (error) {
    return error instanceof HoldfastError ? error.code : String(error);
  }
}
`;
