import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { renderConfig } from '../../../../../infra/local/servers/nginx.ts';

const template = await readFile(new URL('../../../../../infra/local/nginx.conf', import.meta.url), 'utf8');
const values = { port: 8080, nodePorts: [8081, 8082], run: '/run/holdfast', workers: 2 };

describe('nginx.conf', () => {
  test('has no placeholder left', () => {
    const config = renderConfig(template, values);
    expect(config).not.toMatch(/@[A-Z_]+@/);
    expect(config).toContain('listen 127.0.0.1:8080 ');
    expect(config.match(/server 127\.0\.0\.1:808[12] /g)).toHaveLength(4);
  });

  test('keeps a quiet WebSocket longer than a heartbeat and its pong take', () => {
    const ws = template.slice(template.indexOf('location = /ws'), template.indexOf('location / {'));
    const seconds = Number(/proxy_read_timeout (\d+)s/.exec(ws)?.[1]);
    expect(seconds).toBeGreaterThanOrEqual(75);
  });

  test('never sends a POST to a second node after the first may have received it', () => {
    expect(template.replace(/#.*/g, '')).not.toContain('non_idempotent');
  });

  test('is refused with an unknown placeholder', () => {
    expect(() => renderConfig('listen @LISTNE@;', values)).toThrow('unknown placeholder @LISTNE@');
  });
});
