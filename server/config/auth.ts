/** Settings of authentication: keys of tokens and tickets, accepted credentials, allowed origins. */
import { bool, str } from 'envalid';
import { list, milliseconds, secret, serverUrl, type Values } from '../env.ts';

const jwksUrl = serverUrl('https:', 'http:');

export const AUTH = {
  AUTH_JWT_SECRET: secret({
    default: '',
    desc: 'Key of HS256 tokens, at least 32 bytes. Either this or AUTH_JWKS_URL is required.',
  }),
  AUTH_JWKS_URL: jwksUrl({
    default: '',
    desc: 'URL of the public keys of the token issuer (JWKS), for tokens signed with RS256, ES256, EdDSA and the like.',
  }),
  AUTH_ISSUER: str({ default: '', desc: 'Value that the `iss` claim of a token must have. Empty: not checked.' }),
  AUTH_AUDIENCE: str({ default: '', desc: 'Value that the `aud` claim of a token must have. Empty: not checked.' }),
  AUTH_TICKET_SECRET: secret({
    default: '',
    desc: 'Key that signs tickets, at least 32 bytes, the same on all nodes. Required with AUTH_JWKS_URL. Empty: derived from AUTH_JWT_SECRET.',
  }),
  AUTH_QUERY_TOKEN: bool({
    default: false,
    desc: 'Accepts a token in the address: /ws?token=<jwt>. Such tokens end up in access logs, so prefer tickets.',
  }),
  AUTH_TIMEOUT_MS: milliseconds({
    default: 5_000,
    desc: 'Longest time between opening a WebSocket and its authentication, in ms. The node then closes it with 1008.',
  }),
  ALLOWED_ORIGINS: list({
    default: [],
    desc: 'Browser origins that may connect besides the host of the service, separated by commas. * allows all.',
  }),
};

/** What is wrong between these settings. */
export function authProblems({ AUTH_JWT_SECRET, AUTH_JWKS_URL, AUTH_TICKET_SECRET }: Values<typeof AUTH>): string[] {
  const problems: string[] = [];
  if (!AUTH_JWT_SECRET && !AUTH_JWKS_URL)
    problems.push('AUTH_JWT_SECRET or AUTH_JWKS_URL must be set. Tokens cannot be verified without a key.');
  if (AUTH_JWT_SECRET && AUTH_JWKS_URL)
    problems.push('AUTH_JWT_SECRET and AUTH_JWKS_URL are both set. Remove one of them.');
  if (AUTH_JWKS_URL && !AUTH_TICKET_SECRET)
    problems.push('AUTH_TICKET_SECRET must be set together with AUTH_JWKS_URL.');
  return problems;
}
