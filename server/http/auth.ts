/** Reads the bearer token of an HTTP request. Never checks it (`auth/`). */
import type { FastifyRequest } from 'fastify';
import { AppError } from '../errors.ts';

/** The token of `Authorization: Bearer …`. @throws AppError `unauthenticated` */
export function bearerToken(request: FastifyRequest): string {
  const match = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '');
  if (!match)
    throw new AppError(
      'unauthenticated',
      'The request has no bearer token; send the header Authorization: Bearer <jwt>.',
    );
  return match[1] as string;
}
