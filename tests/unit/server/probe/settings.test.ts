/** Each probe has its own channel: two probes in one channel would count the messages of the other as lost. */
import { expect, test } from '@jest/globals';
import { probeChannel } from '../../../../server/probe/settings.ts';

test('probes that differ in zone or host have different channels', () => {
  const channels = ['1', '2', ''].flatMap((PROBE_ZONE) =>
    ['ip-10-0-1-7.ec2.internal', 'ip-10-0-1-8.ec2.internal'].map((host) =>
      probeChannel({ PROBE_CHANNEL: 'probe', PROBE_ZONE }, host),
    ),
  );
  expect(new Set(channels).size).toBe(6);
  expect(channels[0]).toBe('probe:1:ip-10-0-1-7.ec2.internal');
});

test('characters of a host name that a channel name may not contain are replaced', () => {
  expect(probeChannel({ PROBE_CHANNEL: 'probe', PROBE_ZONE: '' }, 'ada’s laptop')).toBe('probe:ada-s-laptop');
});
