/**
 * Generates the facts of an alert's runbook from its rule, so that the two never differ. What an engineer writes outside of
 * the markers is kept. Pure.
 */
import type { Alert } from './rule.ts';

const BEGIN = '<!-- generated: facts -->';
const END = '<!-- end -->';

const SEVERITIES: Readonly<Record<Alert['severity'], string>> = {
  page: '`page`: notifies the on-call engineer at once',
  ticket: '`ticket`: can wait for working hours',
  none: '`none`: notifies no engineer',
};

/** The page with its facts replaced; without `text`, a new page. @throws Error when `text` lacks the markers */
export function runbookPage(alert: Alert, text: string | undefined): string {
  const facts = `${BEGIN}\n\n${factsOf(alert)}\n\n${END}`;
  if (text === undefined) return `# ${alert.alert}\n\n${facts}\n`;
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END, begin);
  if (begin < 0 || end < 0) throw new Error(`The runbook of ${alert.alert} lacks the markers ${BEGIN} and ${END}.`);
  return text.slice(0, begin) + facts + text.slice(end + END.length);
}

function factsOf({ severity, description, expr, for: duration, threshold, board, summary }: Alert): string {
  return `**${withPlaceholders(summary)}.**

${withPlaceholders(description)}

| | |
|---|---|
| Severity | ${SEVERITIES[severity]} |
| Dashboard | \`holdfast-${board}\` |
| Fires | ${duration ? `when the expression below has held for ${duration}` : 'as soon as the expression below holds'} |

\`\`\`promql
${expr}
\`\`\`

**Why this threshold.** ${threshold}`;
}

/** Alert templates as placeholders: `<percentage>`, `<instance>`. */
function withPlaceholders(text: string): string {
  return text
    .replace(/\{\{ with \$labels\.(\w+) \}\}(.*?)\{\{ \. \}\}(.*?)\{\{ end \}\}/g, '$2`<$1>`$3')
    .replace(/\{\{ \$value \| humanizePercentage \}\}/g, '`<percentage>`')
    .replace(/\{\{ \$value \| humanizeDuration \}\}/g, '`<duration>`')
    .replace(/\{\{ \$value[^}]*\}\}/g, '`<number>`')
    .replace(/\{\{ \$labels\.(\w+) \}\}/g, '`<$1>`');
}

const URGENCY: readonly Alert['severity'][] = ['page', 'ticket', 'none'];

/** A table of all alerts, pages first. */
export function runbookIndex(alerts: readonly Alert[]): string {
  const rows = alerts
    .toSorted((a, b) => URGENCY.indexOf(a.severity) - URGENCY.indexOf(b.severity))
    .map(
      ({ alert, severity, summary }) =>
        `| [${alert}](${alert}.md) | ${severity} | ${withPlaceholders(summary).replaceAll('|', '\\|')} |`,
    );
  return ['| alert | severity | summary |', '|---|---|---|', ...rows].join('\n');
}
