/**
 * Reads tables of settings from environment variables: validators for the values, and a reader that reports every problem
 * at once. It owns the log level, which every process has, and no other setting. Its messages never repeat a secret.
 */
import { type CleanedEnv, cleanEnv, makeExactValidator, makeValidator, str, type ValidatorSpec } from 'envalid';

export const integer = (min: number, max: number) =>
  makeValidator((input) => {
    const value = Number(input);
    if (!Number.isInteger(value)) throw new TypeError(`must be a whole number, is "${input}"`);
    if (value < min || value > max) throw new RangeError(`must be from ${min} to ${max}, is ${value}`);
    return value;
  });

export const ratio = makeValidator((input) => {
  const value = Number(input);
  if (!(value >= 0 && value <= 1)) throw new RangeError(`must be from 0 to 1, is "${input}"`);
  return value;
});

export const serverUrl = (...protocols: string[]) =>
  makeValidator((input) => {
    if (input === '') return '';
    const url = URL.canParse(input) ? new URL(input) : null;
    // The value may contain a password, so the message must not repeat it.
    if (!url || !protocols.includes(url.protocol))
      throw new TypeError(`must be a URL that begins with ${protocols.join(' or ')}//`);
    return input;
  });

export const secret = makeValidator((input) => {
  if (input !== '' && Buffer.byteLength(input) < 32)
    throw new TypeError('must be at least 32 bytes, as RFC 7518 requires of HS256 keys');
  return input;
});

export const list = makeExactValidator<string[]>((input) =>
  String(input)
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean),
);

export const port = integer(0, 65_535);
export const count = integer(1, 10_000_000);
export const milliseconds = integer(1, 86_400_000);

export const logLevel = str({
  default: 'info',
  choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
  desc: 'Lowest level that is logged.',
});

/** A table of settings: name -> type, default, and `desc`, the documentation that `npm run docs` prints. */
export type SettingsTable = Readonly<Record<string, ValidatorSpec<unknown>>>;

/** The values of a table after reading. */
export type Values<T extends SettingsTable> = { readonly [K in keyof T & keyof CleanedEnv<T>]: CleanedEnv<T>[K] };

/** Every problem of the environment, one line per variable. The process exits with code 2. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`Configuration is not valid:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/**
 * Reads and checks the settings of a table.
 * @param crossChecks returns what is wrong between settings; called only when each setting is valid on its own
 * @throws ConfigError with every problem, each beginning with the name of its variable
 */
export function readSettings<T extends SettingsTable>(
  table: T,
  env: Readonly<Record<string, string | undefined>>,
  crossChecks: (config: Values<T>) => string[],
): Values<T> {
  const problems: string[] = [];
  const config: Values<T> = cleanEnv(env, table, {
    reporter: ({ errors }) => {
      for (const [name, error] of Object.entries(errors))
        problems.push(describeProblem(table, name, error as Error, env[name]));
    },
  });
  if (problems.length === 0) problems.push(...crossChecks(config));
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function describeProblem(table: SettingsTable, name: string, error: Error, value: string | undefined): string {
  const { desc = '' } = table[name] as { readonly desc?: string };
  if (value === undefined) return `${name} is not set. ${desc}`.trimEnd();
  return `${name}: ${error.message}`;
}
