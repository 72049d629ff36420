/**
 * Turns a validation error of a route into a message for the developer of the client: which field, and what its
 * schema requires.
 */
import type { FastifySchemaValidationError } from 'fastify/types/schema.js';

/** Text for the first problem of `part` ("body" or "querystring"), without its full stop. */
export function describeValidation(errors: readonly FastifySchemaValidationError[], part: string): string {
  const [error] = errors;
  if (!error) return `${part} is not valid`;
  const alternatives = missingAlternatives(errors);
  if (alternatives.length > 0) return `${part} must have exactly one of ${alternatives.join(', ')}`;
  if (error.keyword === 'oneOf')
    return `${part} has fields that exclude each other; see oneOf of its schema in /openapi.json`;
  const field = error.keyword === 'additionalProperties' ? ` (${JSON.stringify(unknownField(error))})` : '';
  return `${part}${error.instancePath} ${error.message ?? 'is not valid'}${field}`;
}

/** Fields of which one is required, when none was sent. */
function missingAlternatives(errors: readonly FastifySchemaValidationError[]): string[] {
  return errors
    .filter(({ keyword, schemaPath }) => keyword === 'required' && schemaPath.includes('/oneOf/'))
    .map(({ params }) => String(params.missingProperty));
}

function unknownField({ params }: FastifySchemaValidationError): string {
  return String(params.additionalProperty).slice(0, 64);
}
