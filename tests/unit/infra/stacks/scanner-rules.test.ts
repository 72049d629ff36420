/** The rules of security scanners hold in every environment, or an exception states the reason. */
import { describe, expect, test } from '@jest/globals';
import { ENVIRONMENT_NAMES } from '../../../../infra/environments/types.ts';
import { ENVIRONMENTS } from '../../../../infra/environments/values.ts';
import { SCANNER_EXCEPTIONS, type ScannerException } from '../../../support/infra/scanner-exceptions.ts';
import { SCANNER_RULES, type ScannerRule } from '../../../support/infra/scanner-rules.ts';
import { type Resource, Synthesised } from '../../../support/infra/synthesised.ts';

const used = new Set<ScannerException>();

function exceptionFor(rule: ScannerRule, { stack, path }: Resource, environment: string): ScannerException | undefined {
  return SCANNER_EXCEPTIONS.find(
    (exception) =>
      rule.ids.split(' ').includes(exception.rule) &&
      exception.environments.includes(environment) &&
      `${stack}/${path}`.startsWith(exception.at),
  );
}

describe.each([...ENVIRONMENT_NAMES])('%s', (name) => {
  const all = new Synthesised(ENVIRONMENTS[name]);

  test.each(SCANNER_RULES.map((rule) => [rule.ids, rule.asks, rule.type, rule] as const))(
    '%s: %s (%s)',
    (_ids, _asks, type, rule) => {
      const resources = all.all(type).filter((resource) => rule.about?.(resource) ?? true);
      const against = resources.filter((resource) => {
        if (rule.holds(resource, all)) return false;
        const exception = exceptionFor(rule, resource, name);
        if (exception) used.add(exception);
        return !exception;
      });
      expect(against.map(({ stack, path }) => `${stack}/${path}`)).toEqual([]);
    },
  );
});

test('every rule matches at least one resource', () => {
  const types = new Set(
    ENVIRONMENT_NAMES.flatMap((name) => new Synthesised(ENVIRONMENTS[name]).resources.map((r) => r.type)),
  );
  expect(SCANNER_RULES.filter(({ type }) => !types.has(type)).map(({ ids, type }) => `${ids} ${type}`)).toEqual([]);
});

test('every exception is still needed', () => {
  const unused = SCANNER_EXCEPTIONS.filter((exception) => !used.has(exception));
  expect(unused.map(({ rule, at, environments }) => `${rule} ${at} ${environments.join()}`)).toEqual([]);
});
