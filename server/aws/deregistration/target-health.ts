/**
 * Reads the state of one target from Elastic Load Balancing (DescribeTargetHealth of the Query API), signed with Signature V4.
 * An answer that it does not understand is an error, never a state.
 *
 * The task role needs the permission `elasticloadbalancing:DescribeTargetHealth` on the resource `*`, because the Describe
 * actions of Elastic Load Balancing have no permissions per resource. The task must reach the API through NAT or the
 * interface endpoint `com.amazonaws.<region>.elasticloadbalancing`. AWS allows 10 calls per second (bursts to 40) for all
 * callers of an account and region together.
 */
import { AwsClient } from 'aws4fetch';
import type { Credentials } from '../credentials.ts';
import { AWS_STATES, type TargetState } from './watch.ts';

export interface TargetHealthOptions {
  readonly targetGroupArn: string;
  /** Address with which ECS registered the target, without port. */
  readonly address: () => Promise<string>;
  readonly port: number;
  readonly credentials: () => Promise<Credentials>;
  /** URL used instead of the AWS endpoint. Empty: the endpoint of the region of the target group. */
  readonly endpoint: string;
  readonly timeoutMs: number;
}

/** An answer without a state. `code` is the error code of AWS, such as `Throttling`, or `UnexpectedAnswer`. */
export class TargetHealthError extends Error {
  override readonly name = 'TargetHealthError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

const SERVICE = 'elasticloadbalancing';
const ARN = /^arn:(aws[a-z-]*):elasticloadbalancing:([a-z0-9-]+):\d{12}:targetgroup\/[A-Za-z0-9-]+\/[0-9a-f]+$/;
const DOMAINS: Readonly<Record<string, string>> = {
  aws: 'amazonaws.com',
  'aws-us-gov': 'amazonaws.com',
  'aws-cn': 'amazonaws.com.cn',
};

/**
 * The returned function sends one request without retries. It throws TargetHealthError, or the errors of `fetch` when AWS does
 * not answer in time.
 * @throws TypeError when the ARN is not that of a target group
 */
export function createTargetHealth(options: TargetHealthOptions): () => Promise<TargetState> {
  const { targetGroupArn, address, port, credentials, timeoutMs } = options;
  const { url, region } = endpointOf(targetGroupArn, options.endpoint);
  return async () => {
    const id = await address();
    const signer = new AwsClient({ ...(await credentials()), service: SERVICE, region });
    const body = new URLSearchParams({
      Action: 'DescribeTargetHealth',
      Version: '2015-12-01',
      TargetGroupArn: targetGroupArn,
      'Targets.member.1.Id': id,
      'Targets.member.1.Port': String(port),
    }).toString();
    const request = await signer.sign(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const response = await fetch(request);
    const text = await response.text();
    if (!response.ok) throw refusal(response.status, text);
    return parseState(text, id, port);
  };
}

/** Returns the endpoint for this target group. @throws TypeError when the ARN is not that of a target group, or its partition is unknown */
export function endpointOf(targetGroupArn: string, override: string): { url: string; region: string } {
  const [, partition = '', region = ''] = ARN.exec(targetGroupArn) ?? [];
  if (!region) throw new TypeError(`"${targetGroupArn}" is not the ARN of a target group`);
  const domain = DOMAINS[partition];
  if (override) return { url: override, region };
  if (!domain) throw new TypeError(`The endpoint of the partition "${partition}" is not known; set AWS_ENDPOINT_URL`);
  return { url: `https://${SERVICE}.${region}.${domain}/`, region };
}

/** Returns the state of this target from the XML of AWS. @throws TargetHealthError when the XML is not exactly as expected */
export function parseState(xml: string, id: string, port: number): TargetState {
  const list = only(only(xml, 'DescribeTargetHealthResult'), 'TargetHealthDescriptions');
  const members = elements(list, 'member');
  if (members.length === 0) return 'absent';
  const member = only(list, 'member');
  const target = only(member, 'Target');
  if (only(target, 'Id') !== id || only(target, 'Port') !== String(port))
    throw new TargetHealthError('UnexpectedAnswer', 'The answer is about another target');
  // Only TargetHealth: the member may contain a second State and Reason, those of an administrative override.
  const health = only(member, 'TargetHealth');
  const state = AWS_STATES.find((name) => name === only(health, 'State'));
  if (state === undefined) throw new TargetHealthError('UnexpectedAnswer', 'The answer has a state that is not known');
  return elements(health, 'Reason')[0] === 'Target.NotRegistered' ? 'absent' : state;
}

function refusal(status: number, xml: string): TargetHealthError {
  const code = elements(xml, 'Code')[0] ?? `HTTP ${status}`;
  const message = elements(xml, 'Message')[0] ?? 'no message';
  return new TargetHealthError(code.slice(0, 100), message.slice(0, 500));
}

/** Returns the content of the only element of this name. */
function only(xml: string, name: string): string {
  const [content, second] = elements(xml, name);
  if (content === undefined || second !== undefined)
    throw new TargetHealthError('UnexpectedAnswer', `The answer should have one ${name}`);
  return content;
}

/** Returns the contents of all elements of this name, at any depth. In this API no element contains one of the same name. */
function elements(xml: string, name: string): string[] {
  const found = xml.matchAll(new RegExp(`<${name}>([^]*?)</${name}>|<${name}\\s*/>`, 'g'));
  return [...found].map(([, content = '']) => content.trim());
}
