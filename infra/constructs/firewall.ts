/**
 * The web application firewall (WAF) in front of the load balancer. It sees HTTP requests and WebSocket upgrades, but no
 * frames of an open WebSocket; the server limits those itself (COMMAND_RATE, PUBLISH_RATE_PER_USER).
 */
import { Wafv2WebAcl } from '@cdktf/provider-aws/lib/wafv2-web-acl/index.js';
import { Wafv2WebAclAssociation } from '@cdktf/provider-aws/lib/wafv2-web-acl-association/index.js';
import { Wafv2WebAclLoggingConfiguration } from '@cdktf/provider-aws/lib/wafv2-web-acl-logging-configuration/index.js';
import { Construct } from 'constructs';
import { nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';
import { LogGroup } from './log-group.ts';

export interface FirewallProps {
  readonly environment: Environment;
  readonly balancerArn: string;
  readonly keyArn: string;
}

/**
 * Rule groups of AWS: addresses with a bad reputation, and known attack patterns such as Log4j. The "common" group is
 * left out: it refuses bodies over 8 KB, and messages may be larger and contain any text.
 */
const MANAGED = ['AWSManagedRulesAmazonIpReputationList', 'AWSManagedRulesKnownBadInputsRuleSet'] as const;

export class Firewall extends Construct {
  readonly name: string;

  constructor(scope: Construct, id: string, { environment, balancerArn, keyArn }: FirewallProps) {
    super(scope, id);
    const name = nameOf(environment, 'front');
    // cdktf does not translate nested statements, so they use Terraform's names.
    const acl = new Wafv2WebAcl(this, 'acl', {
      name,
      description: `Holdfast ${environment.name}: what the load balancer lets in`,
      scope: 'REGIONAL',
      defaultAction: { allow: {} },
      visibilityConfig: visibility(name),
      rule: [
        ...MANAGED.map((list, i) => ({
          name: list,
          priority: i + 1,
          overrideAction: { none: {} },
          statement: { managed_rule_group_statement: { vendor_name: 'AWS', name: list } },
          visibilityConfig: visibility(list),
        })),
        {
          name: 'rate-per-address',
          priority: MANAGED.length + 1,
          action: { block: { customResponse: { responseCode: 429 } } },
          statement: {
            rate_based_statement: {
              limit: environment.service.wafRequestsPerAddress,
              evaluation_window_sec: 300,
              aggregate_key_type: 'IP',
            },
          },
          visibilityConfig: visibility('rate-per-address'),
        },
      ],
    });
    new Wafv2WebAclAssociation(this, 'association', { resourceArn: balancerArn, webAclArn: acl.arn });
    this.log(environment, acl.arn, keyArn);
    this.name = name;
  }

  /** Logs refused requests only, without the headers and query strings that can carry credentials. */
  private log(environment: Environment, aclArn: string, keyArn: string): void {
    const { logDays: days } = environment.observability;
    // WAF writes only to log groups whose name begins with `aws-waf-logs-`.
    const group = new LogGroup(this, 'log', { name: `aws-waf-logs-${nameOf(environment, 'front')}`, days, keyArn });
    new Wafv2WebAclLoggingConfiguration(this, 'logging', {
      resourceArn: aclArn,
      logDestinationConfigs: [group.arn],
      redactedFields: [
        { singleHeader: { name: 'authorization' } },
        { singleHeader: { name: 'cookie' } },
        { queryString: {} },
      ],
      loggingFilter: {
        defaultBehavior: 'DROP',
        filter: [{ behavior: 'KEEP', requirement: 'MEETS_ANY', condition: [{ actionCondition: { action: 'BLOCK' } }] }],
      },
    });
  }
}

/** Sampled requests are off: they would show whole requests with their tokens. The log has the refused ones. */
function visibility(metricName: string) {
  return { cloudwatchMetricsEnabled: true, sampledRequestsEnabled: false, metricName };
}
