import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ROOT } from '../../../../infra/host/paths.ts';
import { adjacentFreePorts, freePort, freePorts, isFree } from '../../../../infra/host/ports.ts';

describe('free ports', () => {
  test('are different and below the range of outgoing connections', async () => {
    const ports = await freePorts(50);
    expect(new Set(ports).size).toBe(50);
    for (const port of ports) expect(port).toBeLessThan(32_768);
  });

  test('a port that a server listens on is not free', async () => {
    const port = await freePort();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    expect(await isFree(port)).toBe(false);
    await new Promise((resolve) => server.close(resolve));
    expect(await isFree(port)).toBe(true);
  });

  test('can be consecutive', async () => {
    const [first = 0, ...others] = await adjacentFreePorts(3);
    expect(others).toEqual([first + 1, first + 2]);
  });

  test('are never the same for processes that search at once, even before a server listens on them', async () => {
    const seekers = Array.from({ length: 4 }, startSeeker);
    const ports = await Promise.all([freePorts(120), ...seekers.map((seeker) => seeker.ports)]);
    for (const { child } of seekers) child.stdin.end();
    const all = ports.flat();
    expect(all).toHaveLength(5 * 120);
    expect(new Set(all).size).toBe(all.length);
  });
});

/** A process that reserves 120 ports and runs until its input ends. */
function startSeeker() {
  const module = join(ROOT, 'infra', 'host', 'ports.ts');
  const code = `import { freePorts } from ${JSON.stringify(module)};
    process.stdout.write(JSON.stringify(await freePorts(120)) + '\\n');
    process.stdin.resume();`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', code], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ports = once(child.stdout, 'data').then(([line]) => JSON.parse(String(line)) as number[]);
  return { child, ports };
}
