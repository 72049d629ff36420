/** Phrases that the writing rules of `.github/CONTRIBUTING.md` exclude, and where a text has them. Pure. */

interface Phrase {
  readonly pattern: RegExp;
  /** What to write in its place. */
  readonly advice: string;
}

const PHRASES: readonly Phrase[] = [
  {
    pattern: /\b(who(m)?ever|somebody|someone|anybody|anyone|everybody|everyone|nobody|no one)\b/i,
    advice: 'name the subject',
  },
  {
    pattern:
      /(^|[.;:,(]\s+|\b(as|than|and|or|but|of|for|to|by|from|with|what|says|see|know|knows|tells)\s+)who\b(?!\s+(is|am)\s+i\b)/i,
    advice: 'name the subject: "the client that", "users who"',
  },
  {
    pattern: /\b(?!(?:it|that|there|here|what|who|let|he|she|how|where|when)['’]s)\p{L}+['’]s(?=\s*([.,;:)\]]|$))/iu,
    advice: 'a possessive needs its noun',
  },
  { pattern: /\b(sings?|sang|songs?)\b/i, advice: 'a canary publishes a probe message' },
  { pattern: /\bfor ever\b/i, advice: 'say "without end", or give the bound' },
  { pattern: /\bof now\b/i, advice: 'say "current"' },
  { pattern: /\bbelieve[sd]?\b/i, advice: 'say "trust" or "use"' },
  { pattern: /\banew\b/i, advice: 'say "again"' },
  { pattern: /\bit is told\b|\bare told\b|\bis told\b/i, advice: 'say which part notifies which' },
];

export interface ProseProblem {
  readonly line: number;
  readonly text: string;
  readonly advice: string;
}

/** Problems of one text, line by line. Code is left out of Markdown; in source files comments and strings are not told apart. */
export function proseProblems(text: string, isMarkdown: boolean): ProseProblem[] {
  const problems: ProseProblem[] = [];
  let inCode = false;
  for (const [index, raw] of text.split('\n').entries()) {
    if (isMarkdown && raw.trimStart().startsWith('```')) inCode = !inCode;
    if (inCode) continue;
    const line = raw.replaceAll(/`[^`]*`/g, '``');
    for (const { pattern, advice } of PHRASES) {
      const [found] = pattern.exec(line) ?? [];
      if (found !== undefined) problems.push({ line: index + 1, text: found.trim(), advice });
    }
  }
  return problems;
}
