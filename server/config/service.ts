/** Settings of the process itself: addresses, name, workers, log level. */
import { bool, makeValidator, str } from 'envalid';
import { integer, logLevel, milliseconds, port } from '../env.ts';

const nodeName = makeValidator((input) => {
  // The name stands in Redis keys and payload headers, where spaces and bars are separators.
  if (!/^[A-Za-z0-9_.:-]{0,100}$/.test(input)) throw new TypeError('must be at most 100 letters, digits, or _ . : -');
  return input;
});

const workers = integer(1, 64);

export const SERVICE = {
  HOST: str({ default: '0.0.0.0', desc: 'Address that the service and the metrics port listen on.' }),
  PORT: port({ default: 8080, desc: 'Port of HTTP and WebSocket. 0 takes any free port.' }),
  METRICS_PORT: port({
    default: 9464,
    desc: 'Port of /metrics for Prometheus. 0 takes any free port. With WORKERS above 1, worker n (from 0) listens on this port plus n.',
  }),
  NODE_ID: nodeName({
    default: '',
    desc: 'Name of this node in logs, metrics and replies. With WORKERS above 1, worker n appends -n. Empty: host name, process id and a random part.',
  }),
  WORKERS: workers({
    default: 1,
    desc: 'Processes that share PORT. Each is a node with its own limits and database connections. Raise it on a machine with several cores.',
  }),
  LOG_LEVEL: logLevel,
  START_TIMEOUT_MS: milliseconds({
    default: 60_000,
    desc: 'Longest time a starting node retries to reach Postgres, in ms. It exits with code 1 after that.',
  }),
  DEMO_PAGE: bool({ default: false, desc: 'Serves the demo page at /. For development.' }),
};
