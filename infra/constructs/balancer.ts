/**
 * The load balancer: TLS ends here, plain HTTP is sent to HTTPS, WebSockets go to a node and stay there. Its times are
 * what the server's depend on (heartbeat, drain); environment-rules.ts holds them against each other.
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

/** TLS 1.3, and 1.2 with forward secrecy and authenticated ciphers only, for clients that are a few years old. */
const TLS_POLICY = 'ELBSecurityPolicy-TLS13-1-2-Res-2021-06';
/**
 * Shorter than the 5 s after which a client that found its node full tries again (RETRY_FULL_MS): browsers keep the cookie
 * of a refusal too, and a day of it would bring them back to the full node for a day.
 */
const STICKY_SECONDS = 4;

export class Balancer extends Construct {
  readonly arn: string;
  /** `app/<name>/<id>`: the dimension of its metrics. */
  readonly arnSuffix: string;
  readonly targetGroupArn: string;
  readonly targetGroupArnSuffix: string;
  /** The listener that serves; a service must not be registered before it is there. */
  readonly listener: LbListener;
  /** `https://host` or, without a domain, `http://<name of AWS>`. */
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

  /** Who asked for what, and when. Tickets in it are spent; query tokens (AUTH_QUERY_TOKEN) would be in it. */
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
      // The node with the fewest requests in flight gets the next: a new task fills up first.
      loadBalancingAlgorithmType: 'least_outstanding_requests',
      deregistrationDelay: String(environment.service.deregistrationDelay),
      // A WebSocket stays with its node anyway; the cookie brings a client's HTTP requests of the moment to the same one.
      stickiness: { enabled: true, type: 'lb_cookie', cookieDuration: STICKY_SECONDS },
      // Liveness, not readiness: ECS kills what fails here, and a full node or one without Redis must not be killed.
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
