/** DATABASE_CA: certificates from a file, or those of Amazon RDS; errors name the setting. */
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { removeTemporary, temporaryDirectory } from '../../../../infra/host/reaper.ts';
import { loadCertificates } from '../../../../server/history/certificates.ts';

let directory: string;
beforeAll(() => {
  directory = temporaryDirectory('certificates');
});
afterAll(() => removeTemporary(directory));

test('empty: the authorities of the operating system apply', async () => {
  expect(await loadCertificates('')).toBeUndefined();
});

test('aws-rds: the authorities of RDS, with that of the region and key type that the stacks use', async () => {
  const certificates = ((await loadCertificates('aws-rds')) ?? []).map((pem) => new X509Certificate(pem));
  expect(certificates.map(({ subject }) => subject).join()).toMatch(/CN=Amazon RDS us-east-1 Root CA RSA2048 G1/);
  expect(certificates.every((certificate) => certificate.ca)).toBe(true);
});

test('a file: all of its certificates', async () => {
  const [first = '', second = ''] = (await loadCertificates('aws-rds')) ?? [];
  const file = join(directory, 'two.pem');
  writeFileSync(file, `# ours\n${first.trim()}\n\n${second.trim()}\n`);
  expect(await loadCertificates(file)).toEqual([first.trim(), second.trim()]);
});

test('an absent file and a file without a certificate are errors', async () => {
  await expect(loadCertificates(join(directory, 'none.pem'))).rejects.toThrow(/^DATABASE_CA: ENOENT/);
  const file = join(directory, 'key.pem');
  writeFileSync(file, '-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n');
  await expect(loadCertificates(file)).rejects.toThrow(/^DATABASE_CA: .*key\.pem holds no certificate/);
});
