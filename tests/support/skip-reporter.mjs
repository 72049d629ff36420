/** The last lines of a test run: how many tests ran, and what was skipped for which reason. A Jest reporter, loaded natively. */

const REASON = /\[skipped: (.*)\]$/;

export default class SkipReporter {
  onRunComplete(_, { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults }) {
    const skipped = testResults.flatMap(({ testResults: tests }) => tests.filter(({ status }) => status === 'pending'));
    const byReason = new Map();
    for (const { ancestorTitles, title } of skipped) {
      const [, reason = 'not asked for'] =
        [...ancestorTitles, title].map((name) => REASON.exec(name)).find(Boolean) ?? [];
      byReason.set(reason, (byReason.get(reason) ?? 0) + 1);
    }
    const lines = [...byReason].map(([reason, count]) => `  ${String(count).padStart(4)} skipped: ${reason}`);
    const skippedCount = numPendingTests + numTodoTests;
    lines.push(`Total: ${numPassedTests} passed, ${numFailedTests} failed, ${skippedCount} skipped`);
    // Jest prints its own summary after every reporter.
    process.once('exit', () => process.stderr.write(`\n${lines.join('\n')}\n`));
  }
}
