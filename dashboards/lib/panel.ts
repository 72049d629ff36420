/** What a panel and a dashboard are, as plain values: Grafana's JSON and the local page are made from them. Pure. */
import type { BoardName } from './links.ts';

export interface PanelQuery {
  readonly expr: string;
  /** Legend; `{{label}}` is the series' own. */
  readonly legend: string;
}

export interface Threshold {
  readonly color: 'green' | 'yellow' | 'red';
  /** From here on; undefined: from the start. */
  readonly value?: number;
}

export interface Panel {
  readonly title: string;
  /** What it shows, and what a person on call reads from it. */
  readonly description: string;
  /** Of Grafana: `short`, `s`, `bytes`, `percentunit`, `ops`, `reqps`, `cps`, `bool_yes_no`, `dateTimeFromNow`. */
  readonly unit: string;
  readonly queries: readonly PanelQuery[];
  /** Default: `lines`. `stack`: areas that add up. `value`: the newest value, large. `table`: the newest values, a row each. */
  readonly kind?: 'lines' | 'stack' | 'value' | 'table';
  /** The alert whose runbook belongs to it. */
  readonly alert: string;
  /** Why there may be no data on a healthy system, shown in its place. Undefined: there always is. */
  readonly idle?: string;
  /** Columns of 24, and rows of 30 pixels. */
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
  /** What question it answers. */
  readonly description: string;
  readonly rows: readonly Row[];
}

/** Every panel of a board. */
export const panelsOf = (board: Board): Panel[] => board.rows.flatMap(({ panels }) => panels);
