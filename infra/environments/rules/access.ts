/** Rules for names and access: domain, TLS, Grafana, runbooks, probes, and the key of Terraform's state. Pure. */
import type { Rule } from './rule.ts';

const domainRule: Rule = ({ domain, name }) => {
  if (domain === undefined)
    return (
      name !== 'dev' &&
      `domain is missing: ${name} would have no certificate, and tokens would cross the internet unencrypted. Set domain.zone and domain.host.`
    );
  return (
    !domain.host.endsWith(`.${domain.zone}`) &&
    `domain.host "${domain.host}" is not in domain.zone "${domain.zone}". The host must end with a dot and the zone.`
  );
};

const probeTokenRule: Rule = ({ observability, service }) => {
  const hasIssuer = Boolean(service.settings.AUTH_JWKS_URL);
  const hasToken = observability.probeTokenArn !== undefined;
  if (!observability.probes || hasIssuer === hasToken) return undefined;
  return hasIssuer
    ? 'observability.probes is on and nodes check tokens with AUTH_JWKS_URL, so the probes cannot sign their own. Set observability.probeTokenArn, or set probes to false.'
    : 'observability.probeTokenArn is only for AUTH_JWKS_URL; without that setting the probes sign their own tokens. Set it to undefined.';
};

export const ACCESS_RULES: readonly Rule[] = [
  domainRule,
  ({ domain, observability }) =>
    domain === undefined &&
    observability.grafana !== undefined &&
    'observability.grafana needs a domain: without one, its password would cross the internet unencrypted. Set domain, or set grafana to undefined.',
  ({ observability }) =>
    observability.grafana?.cidrs.length === 0 &&
    'observability.grafana.cidrs is empty, so Grafana could not be opened from any address. List address ranges, or set grafana to undefined.',
  ({ observability }) =>
    !/^https?:\/\/\S*[^/\s]$/.test(observability.runbooksUrl) &&
    `observability.runbooksUrl is "${observability.runbooksUrl}"; it must be an http or https URL without a slash at its end.`,
  probeTokenRule,
  ({ state, protected: isProtected }) =>
    isProtected &&
    state.backend === 's3' &&
    state.kmsKeyId === '' &&
    'state.kmsKeyId is empty. Name a KMS key, or set it to undefined for the default key of S3.',
];
