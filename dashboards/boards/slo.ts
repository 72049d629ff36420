/** The SLO dashboard: objectives, burn rates, error budget left. */
import type { Board, Panel, Row } from '../lib/panel.ts';
import { badRate, badRatio, ofSlo, SLOS, type Slo, totalRate } from '../lib/slo.ts';

function row(slo: Slo): Row {
  return { title: `${slo.name}: ${slo.promise}`, panels: [budgetLeft(slo), burnRate(slo), events(slo)] };
}

const nameOf = ({ name }: Slo) => `${name[0]?.toUpperCase()}${name.slice(1)}`;
const alertOf = (slo: Slo) => `Holdfast${nameOf(slo)}BudgetBurn`;
const idleOf = ({ name }: Slo) => (name === 'probe' ? { idle: 'no probe is deployed' } : {});
const budgetOf = ({ objective }: Slo) => Number((1 - objective).toFixed(6));

function budgetLeft(slo: Slo): Panel {
  const sum = (record: string) => `sum_over_time(${ofSlo(record, slo)}[30d])`;
  return {
    title: `${nameOf(slo)}: budget left`,
    description: `Share of the error budget of 30 days (${budgetOf(slo) * 100} % of all events) that is left. Below 0 % the objective is missed: stop risky changes until it recovers.`,
    unit: 'percentunit',
    kind: 'value',
    alert: `${alertOf(slo)}Slow`,
    ...idleOf(slo),
    queries: [{ expr: `1 - ${sum(badRate)} / clamp_min(${sum(totalRate)}, 1e-9) / ${budgetOf(slo)}`, legend: 'left' }],
    thresholds: [{ color: 'red' }, { color: 'yellow', value: 0.1 }, { color: 'green', value: 0.5 }],
    width: 4,
    max: 1,
  };
}

function burnRate(slo: Slo): Panel {
  return {
    title: `${nameOf(slo)}: burn rate`,
    description:
      'Share of bad events divided by the allowed share. Normal is below 1, at which the budget lasts exactly 30 days. Above 14.4 for 1 hour, or 6 for 6 hours, an alert pages.',
    unit: 'short',
    alert: alertOf(slo),
    ...idleOf(slo),
    queries: (['5m', '1h', '6h', '3d'] as const).map((window) => ({
      expr: `${ofSlo(badRatio(window), slo)} / ${budgetOf(slo)}`,
      legend: window,
    })),
    width: 10,
    min: 0,
  };
}

function events(slo: Slo): Panel {
  return {
    title: `${nameOf(slo)}: events`,
    description:
      'All events per second, and the bad ones. Normal is 0 bad events. With few events a single bad one makes the burn rate jump.',
    unit: 'ops',
    alert: alertOf(slo),
    ...idleOf(slo),
    queries: [
      { expr: ofSlo(totalRate, slo), legend: 'all' },
      { expr: ofSlo(badRate, slo), legend: 'bad' },
    ],
    width: 10,
    min: 0,
  };
}

export const SLO: Board = {
  name: 'slo',
  title: 'Holdfast: SLOs',
  description: 'Are the service level objectives met, and how much of the 30-day error budget is left?',
  rows: SLOS.map(row),
};
