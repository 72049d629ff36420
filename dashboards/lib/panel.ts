/** Panels and dashboards as plain values, the source of the Grafana JSON and of the local page. Pure. */
import type { BoardName } from './links.ts';

export interface PanelQuery {
  readonly expr: string;
  /** Legend; `{{label}}` stands for the value of that label. */
  readonly legend: string;
}

export interface Threshold {
  readonly color: 'green' | 'yellow' | 'red';
  /** Lowest value of this colour; undefined: no lower bound. */
  readonly value?: number;
}

export interface Panel {
  readonly title: string;
  /** What it shows, what is normal, and what to do when it is not. Text in backticks is code. */
  readonly description: string;
  /** Unit of Grafana: `short`, `s`, `bytes`, `percentunit`, `ops`, `reqps`, `cps`, `bool_yes_no`, `dateTimeFromNow`. */
  readonly unit: string;
  readonly queries: readonly PanelQuery[];
  /** Default: `lines`. `stack`: stacked areas. `value`: the latest value as a number. `table`: one row per latest value. */
  readonly kind?: 'lines' | 'stack' | 'value' | 'table';
  /** The alert whose runbook the panel links to. */
  readonly alert: string;
  /** Why a healthy system may have no data, shown instead of data. Undefined: a healthy system always has data. */
  readonly idle?: string;
  /** Width in columns of 24 (default 8), height in grid rows of 30 pixels (default 8). */
  readonly width?: number;
  readonly height?: number;
  readonly min?: number;
  readonly max?: number;
  readonly thresholds?: readonly Threshold[];
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Board {
  readonly name: BoardName;
  readonly title: string;
  /** The question that the dashboard answers. */
  readonly description: string;
  readonly rows: readonly Row[];
}

/** Every panel of a dashboard, in order. */
export const panelsOf = (board: Board): Panel[] => board.rows.flatMap(({ panels }) => panels);
