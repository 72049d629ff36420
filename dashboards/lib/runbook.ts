/** The facts of an alert's runbook: that part of the page is generated, so that it never says other things than the rule. Pure. */
import type { Alert } from './rule.ts';

const BEGIN = '<!-- generated: facts -->';
const END = '<!-- end -->';

const CALLS: Readonly<Record<Alert['severity'], string>> = {
  page: 'calls somebody at once',
  ticket: 'waits for working hours',
  none: 'calls nobody',
};

/** The page with its facts made anew; one that does not exist begins with them. @throws Error when the markers are lost */
export function runbookPage(alert: Alert, text: string | undefined): string {
  const facts = `${BEGIN}\n\n${factsOf(alert)}\n\n${END}`;
  if (text === undefined) return `# ${alert.alert}\n\n${facts}\n`;
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END, begin);
  if (begin < 0 || end < 0) throw new Error(`The runbook of ${alert.alert} has lost its ${BEGIN} … ${END}.`);
  return text.slice(0, begin) + facts + text.slice(end + END.length);
}

function factsOf({ severity, description, expr, for: duration, threshold, board, summary }: Alert): string {
  const held = duration ? `, for ${duration}` : '';
  return `**${plain(summary)}.** It ${CALLS[severity]} (\`${severity}\`).

${plain(description)}

It fires when this holds${held}:

\`\`\`promql
${expr}
\`\`\`

Why this threshold: ${threshold}

Look at the dashboard \`holdfast-${board}\`.`;
}

/** Templates as what they stand for. */
function plain(text: string): string {
  return text.replace(/\{\{ \$value[^}]*\}\}/g, '*(value)*').replace(/\{\{ \$labels\.(\w+) \}\}/g, '*($1)*');
}

/** The index of all alerts, by severity. */
export function runbookIndex(alerts: readonly Alert[]): string {
  const rows = alerts.map(
    ({ alert, severity, summary }) =>
      `| [${alert}](${alert}.md) | ${severity} | ${plain(summary).replaceAll('|', '\\|')} |`,
  );
  return ['| alert | severity | what it says |', '|---|---|---|', ...rows].join('\n');
}
