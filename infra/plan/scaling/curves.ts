/** Curves of wanted connections over time, to replay against a scaling policy. Pure: the noise follows from a seed. */

export interface Curve {
  readonly description: string;
  readonly hours: number;
  /** Number of connections wanted at a second. */
  readonly wanted: (second: number) => number;
  /** A share of the serving tasks fails at a second. */
  readonly loss?: { readonly second: number; readonly share: number };
}

export interface CurveOptions {
  /** Largest number of connections, without noise. */
  readonly peak: number;
  /** Number of zones. The storm is the loss of one of them. */
  readonly zones: number;
  readonly seed?: number;
}

export const CURVE_NAMES = ['day', 'flat', 'storm', 'ramp'] as const;
export type CurveName = (typeof CURVE_NAMES)[number];

const HOUR = 3_600;
/** Share of the peak at each hour of a working day, from midnight on. */
const DAY = [
  0.12, 0.1, 0.09, 0.09, 0.1, 0.14, 0.25, 0.48, 0.78, 0.95, 1, 0.97, 0.84, 0.88, 0.97, 0.96, 0.9, 0.75, 0.58, 0.47, 0.4,
  0.33, 0.24, 0.17,
];
/** Noise as shares of the load: a new value each minute, and waves of about forty minutes. */
const NOISE = 0.01;
const WAVE = 0.03;

export function curve(name: CurveName, { peak, zones, seed = 1 }: CurveOptions): Curve {
  const noisy = (value: number, second: number) =>
    value * (1 + NOISE * noise(seed, Math.floor(second / 60)) + WAVE * Math.sin(second / 380 + seed));
  switch (name) {
    case 'day':
      return { description: 'a working day', hours: 24, wanted: (second) => noisy(peak * dayShare(second), second) };
    case 'flat':
      return { description: 'a steady load with noise', hours: 6, wanted: (second) => noisy(peak, second) };
    case 'storm':
      return {
        description: `a steady load, and after an hour the loss of one of ${zones} zones`,
        hours: 3,
        wanted: () => peak,
        loss: { second: HOUR, share: 1 / zones },
      };
    case 'ramp':
      return {
        description: 'a launch: from a tenth of the peak to the peak within half an hour',
        hours: 3,
        wanted: (second) => peak * (0.1 + 0.9 * Math.min(1, Math.max(0, (second - HOUR / 2) / (HOUR / 2)))),
      };
  }
}

function dayShare(second: number): number {
  const hour = (second / HOUR) % 24;
  const [from = 0, to = 0] = [DAY[Math.floor(hour)], DAY[(Math.floor(hour) + 1) % 24]];
  return from + (to - from) * (hour % 1);
}

/** A number from -1 to 1 that depends only on seed and place (an integer hash by Thomas Wang). */
function noise(seed: number, place: number): number {
  let x = (seed * 0x9e3779b1 + place) | 0;
  x = (x ^ 61 ^ (x >>> 16)) * 9;
  x = Math.imul(x ^ (x >>> 4), 0x27d4eb2d);
  x ^= x >>> 15;
  return ((x >>> 0) / 0xffffffff) * 2 - 1;
}
