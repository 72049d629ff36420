/** Rules, dashboards, alarms, probes and collectors are deployed complete and fit each other. */
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { BOARDS } from '../../../../dashboards/lib/links.ts';
import { RULE_GROUPS } from '../../../../dashboards/rules/index.ts';
import { ENVIRONMENT_NAMES } from '../../../../infra/environments/types.ts';
import { ENVIRONMENTS } from '../../../../infra/environments/values.ts';
import { literal } from '../../../../infra/plan/literal.ts';
import { alertManagerDefinition } from '../../../../infra/plan/observability/alert-manager.ts';
import { dashboardFiles, ruleFiles } from '../../../../infra/plan/observability/assets.ts';
import { grafanaFiles } from '../../../../infra/plan/observability/grafana-files.ts';
import { scalingPolicy } from '../../../../infra/plan/scaling/policy.ts';
import { collectorConfig } from '../../../../infra/plan/task/collector-config.ts';
import { METRICS } from '../../../../server/telemetry/catalogue.ts';
import { at, Synthesised } from '../../../support/infra/synthesised.ts';

const prod = ENVIRONMENTS.prod;

describe('rules', () => {
  const urls = { runbooks: prod.observability.runbooksUrl, grafana: 'https://grafana-realtime.example.com' };

  test('every rule file is a namespace of the workspace, unchanged except for its links', () => {
    const files = ruleFiles(urls);
    expect(files.map(({ name }) => name)).toEqual(RULE_GROUPS.map(({ name }) => name).sort());
    const namespaces = new Synthesised(prod).all('aws_prometheus_rule_group_namespace');
    expect(namespaces.map(({ config }) => config.name)).toEqual(files.map(({ name }) => name));
    for (const { config } of namespaces) {
      const { text = '' } = files.find(({ name }) => name === config.name) ?? {};
      // Undoes the escaping for Terraform.
      expect(String(config.data).replaceAll('$${', '${').replaceAll('%%{', '%{')).toBe(text);
      expect(parse(text)).toHaveProperty('groups');
      expect(text).not.toMatch(/@[A-Z_]+@/);
      expect(text).toContain(`runbook_url: "${urls.runbooks}/alerts/`);
      expect(text).toContain(`dashboard_url: "${urls.grafana}/d/holdfast-`);
    }
  });

  test('the rules about probes are left out where no probe is deployed', () => {
    const namespaces = new Synthesised(ENVIRONMENTS.dev).all('aws_prometheus_rule_group_namespace');
    expect(namespaces.map(({ config }) => config.name)).not.toContain('probes');
    expect(namespaces.length).toBe(RULE_GROUPS.length - 1);
  });

  test('the metrics of a probe have its zone as a label', () => {
    const all = new Synthesised(prod);
    const zones = all.all('aws_ecs_task_definition').flatMap(({ config }) => {
      const containers = JSON.parse(String(config.container_definitions)) as {
        name: string;
        environment: { name: string; value: string }[];
      }[];
      const settingOf = (container: string, name: string) =>
        containers.find((one) => one.name === container)?.environment.find((pair) => pair.name === name)?.value ?? '';
      const zone = settingOf('probe', 'PROBE_ZONE');
      if (!zone) return [];
      const [scrape] = JSON.parse(settingOf('collector', 'AOT_CONFIG_CONTENT')).receivers.prometheus.config
        .scrape_configs;
      expect(scrape.static_configs[0].labels).toEqual({ zone });
      return [zone];
    });
    expect(zones).toEqual(['1', '2', '3']);
  });

  test('CloudWatch alarms watch the alerting of Prometheus', () => {
    const alarms = new Synthesised(prod).all('aws_cloudwatch_metric_alarm').map(({ config }) => config);
    const find = (metric: string) => alarms.find((config) => config.metric_name === metric);
    expect(find('AlertManagerAlertsReceived')).toMatchObject({
      namespace: 'AWS/Prometheus',
      comparison_operator: 'LessThanThreshold',
      treat_missing_data: 'breaching',
    });
    expect(find('AlertManagerNotificationsFailed')).toMatchObject({ namespace: 'AWS/Prometheus', threshold: 0 });
  });

  test('the alert manager sends pages and tickets to the topic, but not Watchdog', () => {
    const definition = parse(
      alertManagerDefinition({ topicArn: 'arn:aws:sns:us-east-1:1:on-call', region: 'us-east-1', environment: 'prod' }),
    );
    const config = parse(definition.alertmanager_config);
    expect(config.receivers[1].sns_configs[0].topic_arn).toBe('arn:aws:sns:us-east-1:1:on-call');
    expect(config.route).toMatchObject({ receiver: 'on-call' });
    expect(config.route.routes.map((route: { receiver: string }) => route.receiver)).toEqual(['on-call', 'none']);
    expect(config.receivers.map((receiver: { name: string }) => receiver.name)).toEqual(['none', 'on-call']);
    expect(definition.template_files.default_template).toContain('define "holdfast.subject"');
  });
});

test('Grafana gets every dashboard, and the data source that they refer to', () => {
  const dashboards = dashboardFiles({ runbooks: 'https://runbooks', grafana: 'https://grafana' });
  expect(dashboards.map(({ name }) => name)).toEqual([...BOARDS].sort());
  const files = grafanaFiles({ region: 'eu-west-1', prometheusEndpoint: 'https://aps/workspaces/ws-1/', dashboards });
  expect(JSON.parse(files['datasources/prometheus.yaml'] ?? '').datasources).toMatchObject([
    { uid: 'prometheus', url: 'https://aps/workspaces/ws-1/', jsonData: { sigV4Region: 'eu-west-1' } },
  ]);
  for (const { name, text } of dashboards) expect(files[`dashboards/${name}.json`]).toBe(text);
});

test('text that looks like a Terraform template is escaped', () => {
  expect(literal(`a $\{b} %{c} {d} $e`)).toBe(`a $$\{b} %%{c} {d} $e`);
  const objects = new Synthesised(prod)
    .all('aws_s3_object')
    .filter(({ config }) => String(config.key).endsWith('.json'));
  expect(objects.length).toBe(BOARDS.length);
  for (const { config } of objects) expect(String(config.content).replaceAll(`$$\{`, '')).not.toContain(`$\{`);
});

describe('the collector', () => {
  const config = JSON.parse(
    collectorConfig({
      region: 'us-east-1',
      environment: 'prod',
      prometheusEndpoint: 'https://aps/workspaces/ws-1/',
      job: 'holdfast',
      scaling: { metric: scalingPolicy(prod).metric, logGroup: '/metric' },
      metricsPort: 9_464,
      memoryMb: 256,
    }),
  );

  test('defines exactly the parts that its pipelines use', () => {
    const pipelines = Object.values(config.service.pipelines) as Record<string, string[]>[];
    for (const part of ['receivers', 'processors', 'exporters']) {
      const used = new Set(pipelines.flatMap((pipeline) => pipeline[part] ?? []));
      expect([...used].sort()).toEqual(Object.keys(config[part]).sort());
    }
    expect(config.service.extensions.sort()).toEqual(Object.keys(config.extensions).sort());
  });

  test('sends the metric that autoscaling follows to CloudWatch, with its dimensions', () => {
    const { name, dimensions } = scalingPolicy(prod).metric;
    const [declaration] = config.exporters.awsemf.metric_declarations;
    expect(declaration.dimensions).toEqual([Object.keys(dimensions)]);
    expect(name).toMatch(new RegExp(declaration.metric_name_selectors[0]));
    expect(config.receivers['prometheus/scaling'].config.scrape_configs[0].static_configs[0].labels).toEqual(
      dimensions,
    );
    expect(Object.keys(METRICS).map((metric) => metric.replaceAll('.', '_'))).toContain(name);
  });
});

/** What users notice, what is measured, the likely cause, and the first step. */
const DESCRIPTION = /^.+\. .+ Likely cause: .+\. First step: .+\.$/;

test.each([...ENVIRONMENT_NAMES])('%s: every alarm has a unique name and a complete description', (name) => {
  const alarms = new Synthesised(ENVIRONMENTS[name]).all('aws_cloudwatch_metric_alarm');
  const names = alarms.map(({ config }) => config.alarm_name);
  expect(new Set(names).size).toBe(names.length);
  for (const { config } of alarms) {
    // The limit of CloudWatch is 1,024 characters.
    expect(String(config.alarm_description).length).toBeLessThanOrEqual(1_024);
    if (!String(config.alarm_name).endsWith('-ScaleIn')) expect(config.alarm_description).toMatch(DESCRIPTION);
    expect(at(config, 'treat_missing_data')).toMatch(/^(breaching|notBreaching)$/);
  }
  // Missing data is a fault for metrics that are reported as long as something is alive.
  const silent = alarms.filter(({ config }) => config.treat_missing_data === 'breaching').map(({ path }) => path);
  expect(silent).toEqual(['alarms/AlertsMissing', 'alarms/ScalingMetricMissing', 'alarms/TooFewNodes']);
});
