// The demo page: reads the address, opens both panes, runs the controls. Never counts (tally.js) and never draws a pane (pane.js).
import { Pane } from './pane.js';
import { Tally } from './tally.js';

/** Most affinity values that are tried to get the panes onto different nodes. */
const AFFINITY_TRIES = 12;
const FLOOD_TICK_MS = 20;

/** Marks the messages of this page, so that it counts only those. */
const run = crypto.getRandomValues(new Uint32Array(2)).join('-');
const find = (id) => document.getElementById(id);
const settings = readAddress();

let tally = new Tally(['A', 'B']);
let seq = 0;
let flood = null;

const hooks = {
  onMessage(pane, message) {
    const own = message.data?.run === run && message.data.channel === pane.channel;
    tally.receive(pane.name, own ? message.data.seq : null, message);
    if (own && message.data.from !== pane.name) pane.addLatency(performance.now() - message.data.sent_at);
  },
  onBegin: (pane, offset) => tally.panes.get(pane.name).begin(offset),
  onLost: (pane, offset, sameEpoch) => tally.panes.get(pane.name).lose(offset, sameEpoch),
  onSend: (pane, text, how) => publish(pane, text, how),
  onState: () => showPlacement(),
};

const panes = [new Pane('A', find('pane-a'), hooks), new Pane('B', find('pane-b'), hooks)];

/** Removes the token from the address bar, where users could copy it by accident. A reload reads it from the session storage. */
function readAddress() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const given = Object.fromEntries(fragment);
  if (given.token) {
    sessionStorage.setItem('holdfast-demo', JSON.stringify(given));
    for (const secret of ['token', 'token_b']) fragment.delete(secret);
    history.replaceState(null, '', `${location.pathname}${location.search}${fragment.size > 0 ? `#${fragment}` : ''}`);
    return given;
  }
  return { ...JSON.parse(sessionStorage.getItem('holdfast-demo') ?? '{}'), ...given };
}

async function publish(pane, text, how) {
  const number = ++seq;
  const counted = tally;
  counted.publish(number);
  try {
    const data = { text, seq: number, run, channel: pane.channel, from: pane.name, sent_at: performance.now() };
    counted.ack(number, await pane.publish(data, how), performance.now());
  } catch (error) {
    counted.fail(number);
    pane.problem(`Message ${number} was not acknowledged: ${error.message}`);
  }
}

async function open() {
  const { token, token_b: tokenB = token, a = location.origin, b = location.origin } = settings;
  find('token-form').hidden = Boolean(token);
  if (!token) {
    notify('This page needs a token: open the address that npm start prints, or paste a token below.');
    return;
  }
  try {
    const salt = Math.random().toString(36).slice(2, 8);
    const left = await panes[0].connect(a, token, settings.a ? undefined : `a-${salt}`);
    await openElsewhere(left.node_id, b, tokenB, salt);
    follow();
  } catch (error) {
    notify(`Not connected: ${error.message}`);
    if (error.code !== 'unauthenticated') return;
    sessionStorage.removeItem('holdfast-demo');
    find('token-form').hidden = false;
  }
}

/** Connects the second pane. Unless the address names a node for it, tries affinity values until its node is another one. */
async function openElsewhere(nodeId, url, token, salt) {
  for (let i = 1; ; i++) {
    const right = await panes[1].connect(url, token, settings.b ? undefined : `b-${salt}-${i}`);
    if (right.node_id !== nodeId || settings.b || i === AFFINITY_TRIES) return;
  }
}

function follow() {
  if (panes.some(({ client }) => client === null)) return;
  tally = new Tally(['A', 'B']);
  stopFlood();
  for (const pane of panes) pane.follow(find('channel').value);
}

function showPlacement() {
  const [left, right] = panes.map(({ client }) => client?.welcome?.node_id);
  if (!left || !right) return;
  notify(left === right ? `Both panes are on node ${left}: the page found no other node.` : '');
}

function notify(text) {
  find('notice').textContent = text;
  find('notice').hidden = text === '';
}

/** Publishes from both panes in turn. The elapsed time gives the number of messages, because browsers delay timers. */
function startFlood() {
  const state = { due: 0, last: performance.now(), turn: 0 };
  state.timer = setInterval(() => {
    const now = performance.now();
    state.due += ((now - state.last) / 1_000) * Number(find('rate').value);
    state.last = now;
    for (; state.due >= 1; state.due -= 1) void publish(panes[state.turn++ % 2], `flood ${seq + 1}`, 'ws');
  }, FLOOD_TICK_MS);
  flood = state;
  showFlood();
}

function stopFlood() {
  if (flood) clearInterval(flood.timer);
  flood = null;
  showFlood();
  showVerdict();
}

function showFlood() {
  find('flood').setAttribute('aria-pressed', String(flood !== null));
  find('flood').textContent = flood ? 'Stop flood' : 'Start flood';
}

function showVerdict() {
  const count = tally.count(performance.now());
  const aside = [
    count.waiting > 0 && `${count.waiting} waiting for ack`,
    count.failed > 0 && `${count.failed} not acknowledged`,
    count.underway > 0 && `${count.underway} under way`,
  ].filter(Boolean);
  const bad = count.lost + count.duplicated + count.outOfOrder > 0;
  const verdict = find('verdict');
  const text =
    `sent ${count.sent}, received ${count.received.join('/')}, lost ${count.lost}, duplicated ${count.duplicated}, ` +
    `out of order ${count.outOfOrder}${aside.length > 0 ? ` (${aside.join(', ')})` : ''}`;
  if (verdict.textContent !== text) verdict.textContent = text;
  verdict.classList.toggle('bad', bad);
  verdict.classList.toggle('good', !bad && count.sent > 0 && aside.length === 0);
}

find('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  settings.token = find('token').value.trim();
  sessionStorage.setItem('holdfast-demo', JSON.stringify(settings));
  notify('');
  void open();
});

find('channel-form').addEventListener('submit', (event) => {
  event.preventDefault();
  follow();
});

find('flood-form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (flood) stopFlood();
  else if (panes.every(({ subscription }) => subscription)) startFlood();
});

find('rate').addEventListener('input', () => {
  find('rate-value').textContent = `${find('rate').value} messages/s`;
});

setInterval(() => {
  showVerdict();
  for (const pane of panes) pane.draw();
}, 250);

await open();
