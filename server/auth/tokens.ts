/** Verifies JWTs: signature, issuer, audience, expiry, and the claims that Holdfast uses. Never knows how a token arrived. */
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import { AppError } from '../errors.ts';
import { type ChannelClaims, PATTERNS_MAX } from './permissions.ts';

/** The user of a token and the channels that the token permits. */
export interface Identity {
  readonly user: string;
  readonly channels: ChannelClaims;
  /** When the token expires, milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface TokenOptions {
  /** HS256 key; ignored when `jwksUrl` is set. */
  readonly secret: string;
  readonly jwksUrl: string;
  /** Required `iss`; empty: not checked. `audience` likewise for `aud`. */
  readonly issuer: string;
  readonly audience: string;
}

export type VerifyToken = (token: string) => Promise<Identity>;

/** Longest user name (`sub`), in characters. */
const USER_MAX = 128;
/** How much the clocks of issuer and node may differ, seconds. */
const CLOCK_TOLERANCE = 5;

/** The returned function throws AppError `unauthenticated` with the reason, or `unavailable` when the JWKS cannot be fetched. */
export function createTokenVerifier(options: TokenOptions): VerifyToken {
  const checks: JWTVerifyOptions = {
    requiredClaims: ['sub', 'exp'],
    clockTolerance: CLOCK_TOLERANCE,
    ...(options.issuer && { issuer: options.issuer }),
    ...(options.audience && { audience: options.audience }),
  };
  const verify = options.jwksUrl ? verifierOfJwks(options.jwksUrl, checks) : verifierOfSecret(options.secret, checks);
  return async (token) => {
    try {
      return toIdentity((await verify(token)).payload);
    } catch (error) {
      throw tokenError(error);
    }
  };
}

function verifierOfSecret(secret: string, checks: JWTVerifyOptions) {
  const key = new TextEncoder().encode(secret);
  return (token: string) => jwtVerify(token, key, { ...checks, algorithms: ['HS256'] });
}

function verifierOfJwks(url: string, checks: JWTVerifyOptions) {
  const keys = createRemoteJWKSet(new URL(url), { timeoutDuration: 3_000, cooldownDuration: 30_000 });
  // Asymmetric algorithms only: with HS256 in this list, an attacker could sign with the public key as the secret.
  const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
  return (token: string) => jwtVerify(token, keys, { ...checks, algorithms });
}

/** Reads the claims of a verified token or ticket. @throws AppError `unauthenticated` when a claim has the wrong form */
export function toIdentity(payload: JWTPayload): Identity {
  const { sub, exp, channels } = payload;
  if (typeof sub !== 'string' || sub === '' || sub.length > USER_MAX || hasControlCharacters(sub)) {
    throw new AppError(
      'unauthenticated',
      `The token's "sub" must be 1 to ${USER_MAX} characters without control characters.`,
    );
  }
  const claims = channels === undefined ? {} : channels;
  if (!isChannelClaims(claims)) {
    const shape = '{"subscribe": [patterns], "publish": [patterns]}';
    throw new AppError(
      'unauthenticated',
      `The token's "channels" claim must be ${shape}, with at most ${PATTERNS_MAX} patterns each.`,
    );
  }
  return { user: sub, channels: claims, expiresAt: Number(exp) * 1000 };
}

function hasControlCharacters(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 32) return true;
  return false;
}

function isChannelClaims(value: unknown): value is ChannelClaims {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { subscribe, publish } = value as Record<string, unknown>;
  return isPatterns(subscribe) && isPatterns(publish);
}

function isPatterns(value: unknown): boolean {
  if (value === undefined) return true;
  return (
    Array.isArray(value) &&
    value.length <= PATTERNS_MAX &&
    value.every((item) => typeof item === 'string' && item.length <= 256)
  );
}

/** Whether fetching the keys failed, not the token. jose reports an answer that is not 200 or not JSON as ERR_JOSE_GENERIC. */
function isKeyFault(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return true;
  return ['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC'].includes(error.code);
}

function tokenError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof errors.JWTExpired)
    return new AppError('unauthenticated', 'The token has expired; get a new one from its issuer.');
  if (error instanceof errors.JWTClaimValidationFailed) {
    return new AppError(
      'unauthenticated',
      `The token's "${error.claim}" claim is missing, or not what this server accepts.`,
    );
  }
  if (isKeyFault(error)) {
    const text = 'The keys of the token issuer (AUTH_JWKS_URL) cannot be fetched now; retry with the same token.';
    return new AppError('unavailable', text, { retryAfterMs: 2_000, cause: error });
  }
  return new AppError('unauthenticated', 'The token is not valid: it is not a JWT, or its signature or key is wrong.');
}
