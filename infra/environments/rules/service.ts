/** Rules for the tasks: size, number, limits, and settings of the server. Pure. */
import { SETTINGS } from '../../../server/config.ts';
import { RESERVED_SETTINGS } from '../reserved-settings.ts';
import type { Rule } from './rule.ts';

/** Fargate's combinations: CPU units -> MiB, from and to (AWS: task definition parameters). */
const FARGATE: Readonly<Record<number, readonly [number, number]>> = {
  256: [512, 2_048],
  512: [1_024, 4_096],
  1024: [2_048, 8_192],
  2048: [4_096, 16_384],
  4096: [8_192, 30_720],
};

const taskSize: Rule = ({ service }) => {
  const range = FARGATE[service.cpu];
  if (!range) return `service.cpu is ${service.cpu}; Fargate offers ${Object.keys(FARGATE).join(', ')} CPU units.`;
  const [least, most] = range;
  const fits = service.memoryMb >= least && service.memoryMb <= most && service.memoryMb % 1_024 === 0;
  return (
    !fits &&
    `service.memoryMb is ${service.memoryMb}; with service.cpu ${service.cpu} Fargate offers ${least} to ${most} MiB, in steps of 1024.`
  );
};

/** Removing one task must not put the others above 95 % of their target. */
const scaleIn: Rule = ({ service: { scaleInBelowPercent, minTasks } }) => {
  const most = Math.floor((95 * minTasks) / (minTasks + 1));
  return (
    scaleInBelowPercent > most &&
    `service.scaleInBelowPercent is ${scaleInBelowPercent}; with service.minTasks ${minTasks} it must be at most ${most}. Above that, removing one task puts the others near their target, and autoscaling adds a task again.`
  );
};

export const SERVICE_RULES: readonly Rule[] = [
  taskSize,
  ({ service }) =>
    service.maxTasks < service.minTasks &&
    `service.maxTasks (${service.maxTasks}) is below service.minTasks (${service.minTasks}). Raise the first or lower the second.`,
  ({ service, network, protected: isProtected }) =>
    isProtected &&
    service.minTasks < network.zones &&
    `service.minTasks (${service.minTasks}) is below network.zones (${network.zones}) in a protected environment. Every zone needs a task, so that the others can take over when one fails.`,
  ({ service }) =>
    service.maxConnections < service.targetConnections * 1.5 &&
    `service.maxConnections (${service.maxConnections}) must be at least 1.5 times service.targetConnections (${service.targetConnections}). When one of three tasks fails, each of the others gets half as many connections again.`,
  scaleIn,
  ({ service }) => {
    const unknown = Object.keys(service.settings).filter((name) => !(name in SETTINGS));
    return (
      unknown.length > 0 &&
      `service.settings has names that the server does not know: ${unknown.join(', ')}. The names are in server/config.ts.`
    );
  },
  ({ service }) => {
    const taken = Object.keys(service.settings).filter((name) => RESERVED_SETTINGS.includes(name));
    return (
      taken.length > 0 &&
      `service.settings has names that the stacks set themselves: ${taken.join(', ')}. Remove them: they follow from other values of the environment.`
    );
  },
  ({ service, protected: isProtected }) =>
    isProtected &&
    service.settings.DEMO_PAGE === 'true' &&
    'service.settings.DEMO_PAGE is "true" in a protected environment; the demo page is for development. Remove it.',
];
