/** Deliberate exceptions from scanner rules, with reasons. An exception that no longer applies fails the test. */
export interface ScannerException {
  /** First id of the rule. */
  readonly rule: string;
  /** Prefix of the `stack/path` of the resource. */
  readonly at: string;
  readonly environments: readonly string[];
  readonly reason: string;
}

const ALL = ['dev', 'staging', 'prod'];
const UNPROTECTED = ['dev', 'staging'];

export const SCANNER_EXCEPTIONS: readonly ScannerException[] = [
  {
    rule: 'CKV_AWS_150',
    at: 'service/balancer',
    environments: UNPROTECTED,
    reason: 'Only prod is protected from deletion; the other environments are created and destroyed.',
  },
  {
    rule: 'CKV2_AWS_20',
    at: 'service/balancer/plain',
    environments: ['dev'],
    reason: 'dev has no domain, so no certificate; environment-rules.ts refuses that anywhere else.',
  },
  {
    rule: 'CKV_AWS_2',
    at: 'service/balancer/plain',
    environments: ['dev'],
    reason: 'As for the previous exception.',
  },
  {
    rule: 'AWS-0053',
    at: 'service/balancer',
    environments: ALL,
    reason: 'Clients come from the internet; it is the only part that they reach.',
  },
  {
    rule: 'CKV_AWS_378',
    at: 'service/balancer/nodes',
    environments: ALL,
    reason:
      'TLS ends at the load balancer. Behind it requests stay in private subnets, from group to group; ALB would not verify a node’s certificate anyway.',
  },
  {
    rule: 'CKV_AWS_378',
    at: 'observability/grafana',
    environments: ['staging', 'prod'],
    reason: 'As for the previous exception.',
  },
  {
    rule: 'CKV2_AWS_50',
    at: 'data/backplane',
    environments: ['dev'],
    reason: 'dev has one Redis; without it Holdfast works degraded.',
  },
  { rule: 'AwsSolutions-AEC4', at: 'data/backplane', environments: ['dev'], reason: 'As for the previous exception.' },
  {
    rule: 'AwsSolutions-AEC5',
    at: 'data/backplane',
    environments: ALL,
    reason: 'A client that passes the security group would find another port, too.',
  },
  { rule: 'AwsSolutions-RDS11', at: 'data/history', environments: ALL, reason: 'As for the previous exception.' },
  {
    rule: 'CKV_AWS_157',
    at: 'data/history',
    environments: ['dev'],
    reason: 'In dev the loss of the database with its zone is acceptable.',
  },
  {
    rule: 'CKV_AWS_293',
    at: 'data/history',
    environments: UNPROTECTED,
    reason: 'Only prod is protected from deletion; the other environments are created and destroyed.',
  },
  {
    rule: 'CKV_AWS_24',
    at: 'network/groups/balancer-from-internet',
    environments: ALL,
    reason: 'Clients come from the internet, on 443, and on 80 to be sent there.',
  },
  {
    rule: 'AWS-0104',
    at: 'network/groups/',
    environments: ALL,
    reason:
      'On 443 (probes of dev: 80): AWS APIs without an endpoint, the issuer of tokens, the service as clients see it. Their addresses are not known beforehand.',
  },
  {
    rule: 'CKV2_AWS_5',
    at: 'network/groups/probe',
    environments: ALL,
    reason: 'Probes are deployed once the image has one; the group is there so that the network does not change then.',
  },
  {
    rule: 'CKV2_AWS_5',
    at: 'network/groups/grafana',
    environments: ['dev'],
    reason: 'dev has no Grafana; the group is there so that the network does not change when it gets one.',
  },
  {
    rule: 'CKV2_AWS_5',
    at: 'network/groups/endpoints',
    environments: UNPROTECTED,
    reason:
      'Without interface endpoints; the group is there so that the network does not change when they are turned on.',
  },
  {
    rule: 'CKV_AWS_338',
    at: '',
    environments: UNPROTECTED,
    reason: 'Logs of dev and staging are of no use after some weeks.',
  },
  {
    rule: 'CKV_AWS_338',
    at: 'service/scaling-metric',
    environments: ['prod'],
    reason: 'The lines of one metric, which CloudWatch keeps for 15 months once it has read them.',
  },
  {
    rule: 'CKV_AWS_18',
    at: '',
    environments: ALL,
    reason: 'One bucket is the access log, and the other holds dashboards that are in the repository.',
  },
  { rule: 'CKV_AWS_144', at: '', environments: ALL, reason: 'Nothing in them is worth a second region.' },
  {
    rule: 'CKV_AWS_145',
    at: '',
    environments: ALL,
    reason: 'Load balancers write access logs to buckets with keys of S3 only; dashboards are no secret.',
  },
  { rule: 'CKV2_AWS_62', at: '', environments: ALL, reason: 'Nothing would receive these events.' },
  {
    rule: 'CKV2_AWS_57',
    at: '',
    environments: ALL,
    reason:
      'A new signing key invalidates every token in use, so an operator chooses the moment (secretsVersion). RDS rotates the password of the database; it is not such a resource.',
  },
  {
    rule: 'CKV_AWS_1',
    at: 'network/key/policy',
    environments: ALL,
    reason:
      'The policy of the key itself: it lets the IAM of the account administer the key, which nothing else could.',
  },
  {
    rule: 'CKV_AWS_107',
    at: 'network/key/policy',
    environments: ALL,
    reason: 'In the policy of a key, "*" is that key.',
  },
];
