/** Runs rounds at intervals and records their results as metrics. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type PROBE_METRICS, PROBE_PHASES, type ProbePhase } from '../telemetry/catalogue.ts';
import type { Instruments } from '../telemetry/metrics.ts';
import { type Findings, type RoundOptions, type RoundResult, runRound } from './round.ts';

export interface ProbeOptions {
  readonly round: RoundOptions;
  /** Time between the starts of two rounds, milliseconds. */
  readonly intervalMs: number;
  readonly metrics: Instruments<typeof PROBE_METRICS>;
  readonly onRound: (result: RoundResult) => void;
  readonly signal: AbortSignal;
}

/** Runs rounds until the signal, and finishes the current round then. Never rejects. */
export async function runProbe({ round, intervalMs, metrics, onRound, signal }: ProbeOptions): Promise<void> {
  let success: number | undefined;
  metrics.observe('holdfast.probe.success', () => success);
  while (!signal.aborted) {
    const begin = performance.now();
    const result = await runRound(round);
    success = result.ok ? 1 : 0;
    record(metrics, result);
    onRound(result);
    // Jitter, so that probes that started together do not run in step.
    const pause = intervalMs * (0.9 + Math.random() / 5) - (performance.now() - begin);
    await sleep(Math.max(0, pause), undefined, { signal }).catch(() => {});
  }
}

function record(
  metrics: Instruments<typeof PROBE_METRICS>,
  { ok, failed, seconds, nodes, findings }: RoundResult,
): void {
  metrics.add('holdfast.probe.rounds', 1, { result: ok ? 'ok' : 'failed' });
  if (failed) metrics.add('holdfast.probe.failures', 1, { phase: failed.phase });
  for (const phase of PROBE_PHASES) recordPhase(metrics, phase, seconds[phase]);
  if (nodes.receiver)
    metrics.add('holdfast.probe.paths', 1, { path: nodes.publisher === nodes.receiver ? 'same_node' : 'other_node' });
  for (const [finding, count] of Object.entries(findings ?? {}))
    metrics.add('holdfast.probe.messages', count, { finding: finding as keyof Findings });
}

function recordPhase(metrics: Instruments<typeof PROBE_METRICS>, phase: ProbePhase, seconds: number | undefined): void {
  if (seconds !== undefined) metrics.record('holdfast.probe.phase.seconds', seconds, { phase });
}
