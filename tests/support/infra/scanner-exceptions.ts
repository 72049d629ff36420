/** Where a scanner's rule does not hold, on purpose, and why. One that no longer applies fails the test. */
export interface ScannerException {
  /** First id of the rule. */
  readonly rule: string;
  /** Beginning of the resource's `stack/path`. */
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
    reason: 'Only prod is protected from deletion: the others come and go.',
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
    reason: 'As above.',
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
    reason: 'As above.',
  },
  {
    rule: 'CKV2_AWS_50',
    at: 'data/backplane',
    environments: ['dev'],
    reason: 'dev has one Redis; without it Holdfast works degraded.',
  },
  { rule: 'AwsSolutions-AEC4', at: 'data/backplane', environments: ['dev'], reason: 'As above.' },
  {
    rule: 'AwsSolutions-AEC5',
    at: 'data/backplane',
    environments: ALL,
    reason: 'Who gets through the security group finds another port too.',
  },
  { rule: 'AwsSolutions-RDS11', at: 'data/history', environments: ALL, reason: 'As above.' },
  {
    rule: 'CKV_AWS_157',
    at: 'data/history',
    environments: ['dev'],
    reason: 'dev may lose its database with its zone.',
  },
  {
    rule: 'CKV_AWS_293',
    at: 'data/history',
    environments: UNPROTECTED,
    reason: 'Only prod is protected from deletion: the others come and go.',
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
    reason: 'What happened in dev and staging is of no use after weeks.',
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
  { rule: 'CKV2_AWS_62', at: '', environments: ALL, reason: 'Nobody would listen to them.' },
  {
    rule: 'CKV2_AWS_57',
    at: '',
    environments: ALL,
    reason:
      'A new signing key ends every token that is out, so a person chooses the moment (secretsVersion). The database’s password rotates by itself and is no such resource.',
  },
  {
    rule: 'CKV_AWS_1',
    at: 'network/key/policy',
    environments: ALL,
    reason: 'The policy of the key itself: the account’s own IAM administers it, or nobody could.',
  },
  {
    rule: 'CKV_AWS_107',
    at: 'network/key/policy',
    environments: ALL,
    reason: 'In the policy of a key, "*" is that key.',
  },
];
