// One pane: its client, the messages that it received, and their display. Draws at most ten times per second, at any
// message rate. Sets text only through textContent. Never counts for the verdict (tally.js).
import { createClient } from './client.js';
import { percentile } from './tally.js';

const MESSAGES_SHOWN = 100;
const LATENCIES_KEPT = 200;
/** A typing user disappears after this time, milliseconds, because typing_stop may be lost. */
const TYPING_SHOWN_MS = 4_000;
/**
 * Time between two draws while messages keep arriving, milliseconds. Each draw is a layout of the page: one per frame would take
 * most of a core without a GPU.
 */
const DRAW_EVERY_MS = 100;

/** A WebSocket class that remembers its newest instance, so that the page can close it without the client library. */
function tappedWebSocket() {
  return class extends WebSocket {
    static newest = null;

    constructor(...args) {
      super(...args);
      new.target.newest = this;
    }
  };
}

export class Pane {
  name;
  url;
  token;
  client = null;
  subscription = null;
  channel = '';
  hooks;
  latencies = [];
  #slots = {};
  #socket = tappedWebSocket();
  #unshown = [];
  #typing = new Map();
  #present = '–';
  #received = 0;
  #epoch = null;
  #drawing = false;
  #drawnAt = Number.NEGATIVE_INFINITY;

  /** @param hooks onMessage(pane, message), onBegin(pane, offset), onLost(pane, offset, sameEpoch), onSend(pane, text, how), onState(pane) */
  constructor(name, root, hooks) {
    this.name = name;
    this.hooks = hooks;
    root.append(document.getElementById('pane-template').content.cloneNode(true));
    for (const element of root.querySelectorAll('[data-slot]')) this.#slots[element.dataset.slot] = element;
    const { send, text, drop, toggle } = this.#slots;
    this.#slots.name.textContent = name;
    text.setAttribute('aria-label', `Message from pane ${name}`);
    for (const button of root.querySelectorAll('button'))
      button.setAttribute('aria-label', `${button.textContent}, pane ${name}`);
    send.addEventListener('submit', (event) => this.#send(event));
    text.addEventListener('input', () =>
      text.value === '' ? this.subscription?.stopTyping() : this.subscription?.typing(),
    );
    drop.addEventListener('click', () => this.dropConnection());
    toggle.addEventListener('click', () => this.#toggle());
    this.draw();
  }

  /** Connects with the given affinity. Rejects when the server refuses and a retry would not help. */
  async connect(url, token, affinity) {
    this.url = url;
    this.token = token;
    this.client?.close();
    this.problem('');
    const client = createClient({
      url,
      token,
      WebSocket: this.#socket,
      ...(affinity === undefined ? {} : { affinity }),
    });
    this.client = client;
    client.on('state', (state) => {
      if (state === 'connected') this.problem('');
      this.draw();
      this.hooks.onState(this);
    });
    client.on('error', (error) => this.problem(`${error.code}: ${error.message}`));
    return client.connect();
  }

  follow(channel) {
    this.subscription?.unsubscribe();
    this.channel = channel;
    this.latencies = [];
    this.#received = 0;
    this.#unshown = [];
    this.#typing.clear();
    this.#present = '–';
    this.#epoch = null;
    this.#slots.messages.replaceChildren();
    this.subscription = this.client.subscribe(channel, {
      onSubscribed: ({ position }) => {
        if (this.#epoch === null) this.hooks.onBegin(this, position.offset);
        this.#epoch = position.epoch;
        this.draw();
      },
      onMessage: (message) => this.#receive(message),
      onLost: ({ reason, from, to }) => {
        this.hooks.onLost(this, to.offset, from.epoch === to.epoch);
        this.#show({ mark: `History lost (${reason}): the subscription continues after offset ${to.offset}.` });
      },
      onTyping: ({ user, typing }) => {
        if (typing) this.#typing.set(user, performance.now());
        else this.#typing.delete(user);
        this.draw();
      },
      onPresence: ({ users, partial }) => {
        this.#present = `${users.join(', ') || 'nobody'}${partial ? ' (this node only)' : ''}`;
        this.draw();
      },
      onError: (error) => this.problem(`${channel}: ${error.message}`),
    });
    this.subscription.presence();
    this.draw();
  }

  /** Publishes over the connection of this pane, or over HTTP with its token. Resolves with the offset. */
  async publish(data, how) {
    if (how === 'ws') return (await this.client.publish(this.channel, data)).offset;
    const response = await fetch(`${this.url}/v1/chat.postMessage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ channel: this.channel, data }),
    });
    const body = await response.json();
    if (!body.ok) throw new Error(body.error?.message ?? `HTTP ${response.status}`);
    return body.offset;
  }

  /**
   * Closes the socket without the client library, which notices it by the close event. A browser cannot cut a TCP
   * connection; from this call on it discards what arrives and what is sent, which is the closest to a cut.
   */
  dropConnection() {
    this.#socket.newest?.close(4400, 'dropped by the demo page');
  }

  problem(text) {
    const { problem } = this.#slots;
    problem.textContent = text;
    problem.hidden = text === '';
  }

  /** Draws before the next frame, or at the next multiple of the interval, which puts both panes into the same frame. */
  draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    const now = performance.now();
    if (now - this.#drawnAt >= DRAW_EVERY_MS) this.#drawInFrame();
    else setTimeout(() => this.#drawInFrame(), DRAW_EVERY_MS - (now % DRAW_EVERY_MS));
  }

  #drawInFrame() {
    // Browsers pause requestAnimationFrame in background tabs; there a timeout draws.
    const frame = document.hidden ? setTimeout : requestAnimationFrame;
    frame(() => {
      this.#drawing = false;
      this.#drawnAt = performance.now();
      this.#drawFacts();
      this.#drawMessages();
    });
  }

  #receive(message) {
    this.#received += 1;
    this.hooks.onMessage(this, message);
    this.#show({ message });
  }

  #show(entry) {
    this.#unshown.push(entry);
    if (this.#unshown.length > MESSAGES_SHOWN) this.#unshown.shift();
    this.draw();
  }

  addLatency(ms) {
    this.latencies.push(ms);
    if (this.latencies.length > LATENCIES_KEPT) this.latencies.shift();
  }

  async #send(event) {
    event.preventDefault();
    const { text } = this.#slots;
    const how = event.submitter?.value ?? 'ws';
    const value = text.value;
    text.value = '';
    this.subscription?.stopTyping();
    await this.hooks.onSend(this, value, how);
  }

  #toggle() {
    if (!this.client) return;
    if (this.client.state === 'closed') this.client.connect().catch(() => {});
    else this.client.close();
  }

  #drawFacts() {
    const { client, subscription } = this;
    const { position, stats } = subscription ?? { position: null, stats: { recovered: 0, gaps: 0, duplicates: 0 } };
    const state = client?.state ?? 'idle';
    const cut = performance.now() - TYPING_SHOWN_MS;
    const typing = [...this.#typing].filter(([, at]) => at > cut).map(([user]) => user);
    this.#set('state', state);
    this.#slots.state.dataset.state = state;
    this.#set('node', client?.welcome?.node_id ?? '–');
    this.#set('connection', client?.welcome?.connection_id ?? '–');
    this.#set('epoch', position?.epoch ?? '–');
    this.#set('offset', position?.offset ?? '–');
    this.#set('received', this.#received);
    this.#set('recovered', stats.recovered);
    this.#set('gaps', stats.gaps);
    this.#set('duplicates', stats.duplicates);
    this.#set('p50', milliseconds(percentile(this.latencies, 0.5)));
    this.#set('p99', milliseconds(percentile(this.latencies, 0.99)));
    this.#set('present', this.#present);
    this.#set(
      'typing',
      typing.length === 0 ? '' : `${typing.join(', ')} ${typing.length === 1 ? 'is' : 'are'} typing …`,
    );
    this.#set('toggle', state === 'closed' ? 'Connect' : 'Disconnect');
    this.#slots.toggle.setAttribute('aria-label', `${this.#slots.toggle.textContent}, pane ${this.name}`);
    this.#slots.toggle.disabled = client === null;
    this.#slots.drop.disabled = state !== 'connected';
  }

  #drawMessages() {
    const { messages } = this.#slots;
    if (this.#unshown.length === 0) return;
    // Scroll to the newest message, unless the user has scrolled up.
    const following = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 40;
    messages.append(...this.#unshown.map(row));
    this.#unshown = [];
    while (messages.childElementCount > MESSAGES_SHOWN) messages.firstElementChild.remove();
    if (following) messages.scrollTop = messages.scrollHeight;
  }

  #set(slot, value) {
    const element = this.#slots[slot];
    const text = String(value);
    if (element.textContent === text) return;
    element.textContent = text;
    if (element.tagName === 'DD') element.title = text;
  }
}

function milliseconds(value) {
  return Number.isNaN(value) ? '–' : `${value.toFixed(1)} ms`;
}

function row({ message, mark }) {
  const item = document.createElement('li');
  if (mark !== undefined) {
    item.className = 'mark';
    item.textContent = mark;
    return item;
  }
  item.dataset.offset = message.offset;
  for (const [name, text] of [
    ['offset', message.offset],
    ['sender', message.sender],
    ['text', describe(message.data)],
  ]) {
    const cell = document.createElement('span');
    cell.className = name;
    cell.textContent = text;
    item.append(cell);
  }
  return item;
}

function describe(data) {
  return typeof data?.text === 'string' ? data.text : JSON.stringify(data);
}
