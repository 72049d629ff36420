/** Draws a simulation as SVG: connections, tasks, connections per task, and headroom over time. */
import { LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, MarkLineComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { MinuteState } from '../plan/scaling/simulate.ts';

use([LineChart, GridComponent, LegendComponent, MarkLineComponent, TitleComponent, SVGRenderer]);

export interface ChartOptions {
  readonly title: string;
  readonly minutes: readonly MinuteState[];
  readonly targetConnections: number;
  readonly maxConnections: number;
}

const WIDTH = 1_100;
const PANEL = 190;
const GAP = 70;

interface Panel {
  readonly name: string;
  readonly lines: readonly {
    readonly name: string;
    readonly of: (state: MinuteState) => number;
    readonly step?: boolean;
  }[];
  readonly marks?: readonly { readonly name: string; readonly at: number }[];
}

export function drawSimulation({ title, minutes, targetConnections, maxConnections }: ChartOptions): string {
  const panels: readonly Panel[] = [
    {
      name: 'connections',
      lines: [
        { name: 'wanted', of: ({ wanted }) => wanted },
        { name: 'connected', of: ({ connected }) => connected },
        { name: 'waiting', of: ({ waiting }) => waiting },
      ],
    },
    {
      name: 'tasks',
      lines: [
        { name: 'desired', of: ({ desired }) => desired, step: true },
        { name: 'serving', of: ({ serving }) => serving, step: true },
        { name: 'draining', of: ({ draining }) => draining, step: true },
      ],
    },
    {
      name: 'connections per task',
      lines: [
        { name: 'average', of: ({ perTask }) => perTask },
        { name: 'fullest', of: ({ fullest }) => fullest },
      ],
      marks: [
        { name: 'target', at: targetConnections },
        { name: 'limit', at: maxConnections },
      ],
    },
    {
      name: 'headroom: free connections, % of wanted',
      lines: [{ name: 'headroom', of: ({ headroom }) => Math.min(300, headroom * 100) }],
    },
  ];
  const height = 90 + panels.length * (PANEL + GAP);
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption({
    animation: false,
    title: { text: title, left: 20, top: 12, textStyle: { fontSize: 16 } },
    legend: { top: 42, left: 20 },
    grid: panels.map((_, i) => ({ left: 80, right: 80, top: 110 + i * (PANEL + GAP), height: PANEL })),
    xAxis: panels.map((_, i) => ({
      type: 'value',
      gridIndex: i,
      max: (minutes.at(-1)?.minute ?? 0) / 60,
      axisLabel: { formatter: '{value} h' },
    })),
    yAxis: panels.map(({ name, marks = [] }, i) => ({
      type: 'value',
      gridIndex: i,
      name,
      ...(marks.length > 0 && { max: Math.max(...marks.map(({ at }) => at)) }),
      nameTextStyle: { align: 'left' },
    })),
    series: panels.flatMap(({ lines, marks = [] }, panel) =>
      lines.map(({ name, of, step }, i) => ({
        type: 'line',
        name,
        xAxisIndex: panel,
        yAxisIndex: panel,
        showSymbol: false,
        lineStyle: { width: 1.5 },
        ...(step && { step: 'end' }),
        data: minutes.map((state) => [state.minute / 60, Math.round(of(state) * 100) / 100]),
        ...(i === 0 && {
          markLine: {
            symbol: 'none',
            lineStyle: { color: '#888' },
            data: marks.map((mark) => ({ yAxis: mark.at, label: { formatter: mark.name } })),
          },
        }),
      })),
    ),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
