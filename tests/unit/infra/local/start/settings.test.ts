import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { readSettings, UsageError } from '../../../../../infra/local/start/settings.ts';

const saved = { ...process.env };
beforeEach(() => {
  process.env = { PATH: '/usr/bin' };
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  process.env = { ...saved };
  jest.restoreAllMocks();
});

describe('settings of npm start', () => {
  test('default to two nodes behind port 8080', () => {
    expect(readSettings([]).ports).toEqual({ balancer: 8080, nodes: [8081, 8082], metrics: [9464, 9465] });
  });

  test('prefer flags to environment variables', () => {
    process.env.PORT = '9000';
    process.env.NODES = '3';
    expect(readSettings([]).ports.nodes).toEqual([9001, 9002, 9003]);
    expect(readSettings(['--port', '7000', '--nodes', '1']).ports).toEqual({
      balancer: 7000,
      nodes: [7001],
      metrics: [9464],
    });
  });

  test('reserve one metrics port for each worker', () => {
    process.env.WORKERS = '4';
    expect(readSettings([]).ports.metrics).toEqual([9464, 9468]);
  });

  test('are passed on to nodes, except the ports of the launcher', () => {
    process.env.LOG_LEVEL = 'debug';
    process.env.PORT = '9000';
    const { env } = readSettings([]);
    expect(env).toMatchObject({ LOG_LEVEL: 'debug', DEMO_PAGE: 'true' });
    expect(env).not.toHaveProperty('PORT');
  });

  test('need no secret when an issuer signs tokens', () => {
    process.env.AUTH_JWKS_URL = 'https://issuer.example/jwks';
    process.env.AUTH_TICKET_SECRET = 'x'.repeat(32);
    expect(readSettings([]).foreignTokens).toBe(true);
  });

  test.each([
    ['a port that is not a number', ['--port', 'http'], {}],
    ['too many nodes', ['--nodes', '99'], {}],
    ['an argument', ['production'], {}],
    ['overlapping ports', ['--port', '8080', '--node-port', '8080'], {}],
    ['ports above 65535', ['--port', '65535'], {}],
    ['an invalid setting of the nodes', [], { LOG_LEVEL: 'loud' }],
    ['a short secret', [], { AUTH_JWT_SECRET: 'short' }],
  ])('refuse %s with exit code 2', (_, args, env: Record<string, string>) => {
    Object.assign(process.env, env);
    expect(() => readSettings(args)).toThrow(UsageError);
  });

  test('report every invalid setting at once', () => {
    Object.assign(process.env, { LOG_LEVEL: 'loud', PG_POOL_MAX: 'many' });
    expect(() => readSettings([])).toThrow(/LOG_LEVEL[\s\S]*PG_POOL_MAX|PG_POOL_MAX[\s\S]*LOG_LEVEL/);
  });
});
