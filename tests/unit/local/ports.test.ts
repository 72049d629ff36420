import { createServer } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { freePort, freePorts, isFree } from '../../../infra/local/ports.ts';

describe('ports', () => {
  test('are different and below the range of outgoing connections', async () => {
    const ports = await freePorts(50);
    expect(new Set(ports).size).toBe(50);
    for (const port of ports) expect(port).toBeLessThan(32_768);
  });

  test('a port that somebody listens on is not free', async () => {
    const port = await freePort();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    expect(await isFree(port)).toBe(false);
    await new Promise((resolve) => server.close(resolve));
    expect(await isFree(port)).toBe(true);
  });
});
