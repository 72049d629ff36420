/**
 * Runs inside a namespace and dials there for whoever cannot: each connection to its Unix socket names a target in its
 * first line (`host port`), and is then that TCP connection. Unix sockets are files, so they cross namespaces.
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
      // Either end broke; the pipeline has destroyed the other.
    });
  });
  near.on('error', () => near.destroy());
  near.resume();
});
server.listen(process.argv[2]);
