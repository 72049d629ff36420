/** A TLS certificate for the host, validated by DNS records in its zone. AWS renews it as long as the records exist. */
import { AcmCertificate } from '@cdktf/provider-aws/lib/acm-certificate/index.js';
import { AcmCertificateValidation } from '@cdktf/provider-aws/lib/acm-certificate-validation/index.js';
import { DataAwsRoute53Zone } from '@cdktf/provider-aws/lib/data-aws-route53-zone/index.js';
import { Route53Record } from '@cdktf/provider-aws/lib/route53-record/index.js';
import { Construct } from 'constructs';
import type { DomainSettings } from '../environments/types.ts';

export interface CertificateProps {
  readonly domain: DomainSettings;
  /** Further host names in the same zone. */
  readonly alsoFor: readonly string[];
}

export class Certificate extends Construct {
  /** ARN of the certificate. It resolves only after the validation, so dependents wait for it. */
  readonly arn: string;
  readonly zoneId: string;

  constructor(scope: Construct, id: string, { domain, alsoFor }: CertificateProps) {
    super(scope, id);
    const zone = new DataAwsRoute53Zone(this, 'zone', { name: domain.zone });
    const certificate = new AcmCertificate(this, 'certificate', {
      domainName: domain.host,
      subjectAlternativeNames: [...alsoFor],
      validationMethod: 'DNS',
      lifecycle: { createBeforeDestroy: true },
    });
    const records = [domain.host, ...alsoFor].map((host, i) => {
      const proof = (what: string) =>
        `\${one([for o in ${certificate.fqn}.domain_validation_options : o.resource_record_${what} if o.domain_name == "${host}"])}`;
      return new Route53Record(this, `proof-${i + 1}`, {
        zoneId: zone.zoneId,
        name: proof('name'),
        type: proof('type'),
        records: [proof('value')],
        ttl: 300,
        allowOverwrite: true,
      });
    });
    const valid = new AcmCertificateValidation(this, 'valid', {
      certificateArn: certificate.arn,
      validationRecordFqdns: records.map((record) => record.fqdn),
    });
    this.arn = valid.certificateArn;
    this.zoneId = zone.zoneId;
  }
}
