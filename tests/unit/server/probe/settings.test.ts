/** Two probes that shared a channel would each miss what the other published, and call it lost. */
import { expect, test } from '@jest/globals';
import { probeChannel } from '../../../../server/probe/settings.ts';

test('probes of one zone on different hosts, and of different zones on one host, have channels of their own', () => {
  const channels = ['1', '2', ''].flatMap((PROBE_ZONE) =>
    ['ip-10-0-1-7.ec2.internal', 'ip-10-0-1-8.ec2.internal'].map((host) =>
      probeChannel({ PROBE_CHANNEL: 'probe', PROBE_ZONE }, host),
    ),
  );
  expect(new Set(channels).size).toBe(6);
  expect(channels[0]).toBe('probe:1:ip-10-0-1-7.ec2.internal');
});

test('a host may have a name that no channel may have', () => {
  expect(probeChannel({ PROBE_CHANNEL: 'probe', PROBE_ZONE: '' }, 'ada’s laptop')).toBe('probe:ada-s-laptop');
});
