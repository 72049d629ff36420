/**
 * Converts the integers of query strings before validation: a query string is text, and its schema has integers.
 * Other values stay as they are, so that validation refuses them.
 */
import type { FastifyInstance } from 'fastify';

interface QuerySchema {
  readonly properties?: Readonly<Record<string, { readonly type?: string }>>;
}

/** Digits only: no sign, fraction, exponent or white space. 16 digits hold every safe integer. */
const DIGITS = /^\d{1,16}$/;

/** Applies to the routes that are added after this call. */
export function convertQueryIntegers(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const names = integersOf(route.schema?.querystring as QuerySchema | undefined);
    if (names.length === 0) return;
    route.preValidation = (request, _reply, done) => {
      convert(request.query as Record<string, unknown>, names);
      done();
    };
  });
}

/** Names of the integer properties of a query schema. */
export function integersOf(schema: QuerySchema | undefined): readonly string[] {
  const properties = Object.entries(schema?.properties ?? {});
  return properties.filter(([, { type }]) => type === 'integer').map(([name]) => name);
}

/** Replaces digits by their number: `{"limit": "10"}` becomes `{"limit": 10}`; `"1e2"` stays text. */
export function convert(query: Record<string, unknown>, names: readonly string[]): void {
  for (const name of names) {
    const value = query[name];
    if (typeof value === 'string' && DIGITS.test(value)) query[name] = Number(value);
  }
}
