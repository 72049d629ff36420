/** The promises, and how much of their error budgets is left. */
import type { Board, Panel, Row } from '../lib/panel.ts';
import { badRate, badRatio, ofSlo, SLOS, type Slo, totalRate } from '../lib/slo.ts';

function row(slo: Slo): Row {
  return { title: `${slo.name}: ${slo.promise}`, panels: [left(slo), burn(slo), events(slo)] };
}

const nameOf = ({ name }: Slo) => `${name[0]?.toUpperCase()}${name.slice(1)}`;
const alertOf = (slo: Slo) => `Holdfast${nameOf(slo)}BudgetBurn`;
const idleOf = ({ name }: Slo) => (name === 'probe' ? { idle: 'no probe runs here' } : {});
const budgetOf = ({ objective }: Slo) => Number((1 - objective).toFixed(6));

function left(slo: Slo): Panel {
  const sum = (record: string) => `sum_over_time(${ofSlo(record, slo)}[30d])`;
  return {
    title: `${nameOf(slo)}: budget left`,
    description: `Share of the thirty days’ error budget (${budgetOf(slo) * 100} % of all events) that is not used up. Below zero the promise is broken.`,
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

function burn(slo: Slo): Panel {
  return {
    title: `${nameOf(slo)}: burn rate`,
    description:
      'How many times faster than allowed the budget burns. At 1 it lasts just thirty days; 14.4 for an hour pages.',
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
    description: 'Events per second, and those of them that broke the promise.',
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
  title: 'Holdfast: promises',
  description: 'What users are promised, how well it is kept, and how much of a month’s error budget is left.',
  rows: SLOS.map(row),
};
