/**
 * Runs inside a network namespace and connects there on behalf of processes outside. The first line of each connection
 * to its Unix socket names a target (`host port`); all further bytes go to that target and back. A Unix socket is a file,
 * so it can be reached from every network namespace.
 */
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';

const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (near) => {
  near.once('data', (first) => {
    near.pause();
    const end = first.indexOf('\n');
    const [host, port] = first.toString('latin1', 0, end).split(' ');
    const far = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true });
    if (end + 1 < first.length) far.write(first.subarray(end + 1));
    pipeline(near, far, near, () => {
      // One end failed; the pipeline has destroyed the other.
    });
  });
  near.on('error', () => near.destroy());
  near.resume();
});
server.listen(process.argv[2]);
