/**
 * The load balancer with its listeners, target group and DNS names. Terminates TLS and redirects HTTP to HTTPS. Its
 * timeouts must fit the heartbeat and the drain of the server: environments/rules/shutdown.ts checks them.
 */
import { Lb } from '@cdktf/provider-aws/lib/lb/index.js';
import { LbListener } from '@cdktf/provider-aws/lib/lb-listener/index.js';
import { LbTargetGroup } from '@cdktf/provider-aws/lib/lb-target-group/index.js';
import { Route53Record } from '@cdktf/provider-aws/lib/route53-record/index.js';
import { Construct } from 'constructs';
import { grafanaHost, nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';
import { PORTS } from '../plan/ports.ts';
import { Certificate } from './certificate.ts';
import { PrivateBucket } from './private-bucket.ts';

export interface BalancerProps {
  readonly environment: Environment;
  readonly vpcId: string;
  readonly subnetIds: readonly string[];
  readonly securityGroupId: string;
}

/** TLS 1.3, and for older clients TLS 1.2 with forward secrecy and authenticated encryption only. */
const TLS_POLICY = 'ELBSecurityPolicy-TLS13-1-2-Res-2021-06';
/**
 * Lifetime of the stickiness cookie. A client that a full node has refused tries again after 5 s (RETRY_FULL_MS) and
 * keeps the cookie of the refusal. The cookie must have expired by then, or the client reaches the full node again.
 */
const STICKY_SECONDS = 4;

export class Balancer extends Construct {
  readonly arn: string;
  /** `app/<name>/<id>`: the value of the dimension LoadBalancer in CloudWatch. */
  readonly arnSuffix: string;
  readonly targetGroupArn: string;
  readonly targetGroupArnSuffix: string;
  /** The listener that forwards to the nodes. ECS refuses a service whose target group has no listener yet. */
  readonly listener: LbListener;
  /** `https://host`; without a domain `http://` and the DNS name of the load balancer. */
  readonly url: string;
  private readonly props: BalancerProps;

  constructor(scope: Construct, id: string, props: BalancerProps) {
    super(scope, id);
    this.props = props;
    const { environment } = props;
    const logs = this.accessLogs();
    const balancer = new Lb(this, 'balancer', {
      name: nameOf(environment, 'front'),
      loadBalancerType: 'application',
      internal: false,
      subnets: [...props.subnetIds],
      securityGroups: [props.securityGroupId],
      idleTimeout: environment.service.idleTimeout,
      dropInvalidHeaderFields: true,
      desyncMitigationMode: 'defensive',
      enableDeletionProtection: environment.protected,
      accessLogs: { enabled: true, bucket: logs.name },
      dependsOn: [logs.policy],
    });
    const targets = this.targets();
    this.listener = environment.domain ? this.serveTls(balancer, targets) : this.servePlain(balancer, targets);
    this.arn = balancer.arn;
    this.arnSuffix = balancer.arnSuffix;
    this.targetGroupArn = targets.arn;
    this.targetGroupArnSuffix = targets.arnSuffix;
    this.url = environment.domain ? `https://${environment.domain.host}` : `http://${balancer.dnsName}`;
  }

  /** Access logs contain URLs: spent tickets, and with AUTH_QUERY_TOKEN also valid tokens. */
  private accessLogs(): PrivateBucket {
    const { environment } = this.props;
    return new PrivateBucket(this, 'logs', {
      environment,
      what: 'access-logs',
      expireDays: environment.observability.logDays,
      allow: (bucketArn, accountId) => ({
        sid: 'BalancersWrite',
        actions: ['s3:PutObject'],
        resources: [`${bucketArn}/AWSLogs/${accountId}/*`],
        principals: [{ type: 'Service', identifiers: ['logdelivery.elasticloadbalancing.amazonaws.com'] }],
      }),
    });
  }

  private targets(): LbTargetGroup {
    const { environment, vpcId } = this.props;
    return new LbTargetGroup(this, 'nodes', {
      name: nameOf(environment, 'nodes'),
      vpcId,
      targetType: 'ip',
      protocol: 'HTTP',
      port: PORTS.server,
      // Sends the next connection to the node with the fewest requests in flight, so new tasks fill up first.
      loadBalancingAlgorithmType: 'least_outstanding_requests',
      deregistrationDelay: String(environment.service.deregistrationDelay),
      // An open WebSocket stays on its node without the cookie. The cookie sends HTTP requests around it to the same
      // node.
      stickiness: { enabled: true, type: 'lb_cookie', cookieDuration: STICKY_SECONDS },
      // Checks liveness, not readiness: ECS kills tasks that fail, and must not kill a full node or one without Redis.
      healthCheck: {
        path: '/healthz',
        matcher: '200',
        interval: 10,
        timeout: 5,
        healthyThreshold: 2,
        unhealthyThreshold: 3,
      },
    });
  }

  private serveTls(balancer: Lb, targets: LbTargetGroup): LbListener {
    const { domain, observability } = this.props.environment;
    if (!domain) throw new Error('TLS needs a domain.');
    const alsoFor = observability.grafana ? [grafanaHost(domain.host)] : [];
    const certificate = new Certificate(this, 'certificate', { domain, alsoFor });
    for (const host of [domain.host, ...alsoFor])
      new Route53Record(this, `name-${host}`, {
        zoneId: certificate.zoneId,
        name: host,
        type: 'A',
        alias: { name: balancer.dnsName, zoneId: balancer.zoneId, evaluateTargetHealth: true },
      });
    new LbListener(this, 'plain', {
      loadBalancerArn: balancer.arn,
      protocol: 'HTTP',
      port: PORTS.http,
      defaultAction: [
        { type: 'redirect', redirect: { protocol: 'HTTPS', port: String(PORTS.https), statusCode: 'HTTP_301' } },
      ],
    });
    return new LbListener(this, 'tls', {
      loadBalancerArn: balancer.arn,
      protocol: 'HTTPS',
      port: PORTS.https,
      sslPolicy: TLS_POLICY,
      certificateArn: certificate.arn,
      routingHttpResponseStrictTransportSecurityHeaderValue: 'max-age=31536000',
      defaultAction: [{ type: 'forward', targetGroupArn: targets.arn }],
    });
  }

  private servePlain(balancer: Lb, targets: LbTargetGroup): LbListener {
    return new LbListener(this, 'plain', {
      loadBalancerArn: balancer.arn,
      protocol: 'HTTP',
      port: PORTS.http,
      defaultAction: [{ type: 'forward', targetGroupArn: targets.arn }],
    });
  }
}
