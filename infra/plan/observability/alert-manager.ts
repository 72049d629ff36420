/**
 * Configuration of the alert manager of managed Prometheus. It sends every alert to the on-call topic, pages after 5 s and
 * tickets after 30 s, except Watchdog and a ticket whose alert also pages. Alerts of one name share a notification. Pure.
 */
export interface AlertManagerOptions {
  readonly topicArn: string;
  readonly region: string;
  readonly environment: string;
}

/**
 * The configuration as YAML in the form that managed Prometheus expects. Its only possible receiver is SNS. The alert
 * Watchdog always fires and goes to no receiver: the alarm AlertsMissing watches it.
 */
export function alertManagerDefinition({ topicArn, region, environment }: AlertManagerOptions): string {
  return `template_files:
  default_template: |
    {{ define "holdfast.subject" }}[${environment}] {{ .Status }}: {{ .CommonLabels.alertname }} ({{ .CommonLabels.severity }}){{ end }}
    {{ define "holdfast.message" }}{{ range .Alerts }}{{ .Status }}: {{ .Annotations.summary }}
    {{ .Annotations.description }}
    Runbook: {{ .Annotations.runbook_url }}
    Dashboard: {{ .Annotations.dashboard_url }}
    Since {{ .StartsAt }}
    {{ end }}{{ end }}
alertmanager_config: |
  templates:
    - 'default_template'
  route:
    receiver: on-call
    group_by: ['alertname']
    group_wait: 30s
    group_interval: 5m
    repeat_interval: 12h
    routes:
      - receiver: on-call
        matchers: ['severity="page"']
        group_wait: 5s
        repeat_interval: 1h
      - receiver: none
        matchers: ['alertname="Watchdog"']
  inhibit_rules:
    - source_matchers: ['severity="page"']
      target_matchers: ['severity="ticket"']
      equal: ['alertname']
  receivers:
    - name: none
    - name: on-call
      sns_configs:
        - topic_arn: '${topicArn}'
          sigv4:
            region: '${region}'
          subject: '{{ template "holdfast.subject" . }}'
          message: '{{ template "holdfast.message" . }}'
          attributes:
            severity: '{{ .CommonLabels.severity }}'
`;
}
