/** Settings of tracing. */
import { ratio, serverUrl } from '../env.ts';

const otlpUrl = serverUrl('http:', 'https:');

export const TRACING = {
  OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl({
    default: '',
    desc: 'Collector that receives the traces (OTLP over HTTP). Empty: no tracing.',
  }),
  TRACE_SAMPLE_RATIO: ratio({
    default: 0.01,
    desc: 'Share of publishes that are traced, from 0 to 1. A publish whose caller samples its own trace is always traced.',
  }),
};
