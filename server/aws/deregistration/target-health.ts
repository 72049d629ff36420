/**
 * Asks Elastic Load Balancing how one target is (DescribeTargetHealth of the Query API), signed with Signature V4.
 * Strict: what it does not understand is an error, never a state.
 *
 * The task's role needs one permission: `elasticloadbalancing:DescribeTargetHealth` on resource `*`, as the Describe
 * actions of Elastic Load Balancing know no permissions per resource. The API must be reachable from the task: through
 * NAT or the interface endpoint `com.amazonaws.<region>.elasticloadbalancing`. AWS lets an account ask 10 times a second
 * per region (bursts to 40), all its callers together.
 */
import { AwsClient } from 'aws4fetch';
import type { Credentials } from '../credentials.ts';
import { AWS_STATES, type TargetState } from './watch.ts';

export interface TargetHealthOptions {
  readonly targetGroupArn: string;
  /** The address that ECS registered, without port. */
  readonly address: () => Promise<string>;
  readonly port: number;
  readonly credentials: () => Promise<Credentials>;
  /** In place of AWS's own endpoint; empty: that of the target group's region. */
  readonly endpoint: string;
  readonly timeoutMs: number;
}

/** An answer that is not a state: AWS refused, or said what is not understood. `code` is AWS's, such as `Throttling`. */
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
 * The returned function asks once, without retries, and throws TargetHealthError, or fetch's errors when AWS cannot be
 * reached in time.
 * @throws TypeError at once when the ARN is none
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

/** Where to ask about this target group. @throws TypeError when the ARN is none, or of a partition without known domain */
export function endpointOf(targetGroupArn: string, override: string): { url: string; region: string } {
  const [, partition = '', region = ''] = ARN.exec(targetGroupArn) ?? [];
  if (!region) throw new TypeError(`"${targetGroupArn}" is not the ARN of a target group`);
  const domain = DOMAINS[partition];
  if (override) return { url: override, region };
  if (!domain) throw new TypeError(`The endpoint of partition "${partition}" is not known; set it`);
  return { url: `https://${SERVICE}.${region}.${domain}/`, region };
}

/** The state of this one target in AWS's XML. @throws TargetHealthError when it is not exactly what is expected */
export function parseState(xml: string, id: string, port: number): TargetState {
  const list = only(only(xml, 'DescribeTargetHealthResult'), 'TargetHealthDescriptions');
  const members = elements(list, 'member');
  if (members.length === 0) return 'absent';
  const member = only(list, 'member');
  const target = only(member, 'Target');
  if (only(target, 'Id') !== id || only(target, 'Port') !== String(port))
    throw new TargetHealthError('UnexpectedAnswer', 'The answer is about another target');
  // Not the whole member: it may hold a second State and Reason, those of an administrative override.
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

/** The content of the one element of this name. */
function only(xml: string, name: string): string {
  const [content, second] = elements(xml, name);
  if (content === undefined || second !== undefined)
    throw new TargetHealthError('UnexpectedAnswer', `The answer should have one ${name}`);
  return content;
}

/** Contents of all elements of this name, at any depth. Enough for this API: no element of it holds one of its own name. */
function elements(xml: string, name: string): string[] {
  const found = xml.matchAll(new RegExp(`<${name}>([^]*?)</${name}>|<${name}\\s*/>`, 'g'));
  return [...found].map(([, content = '']) => content.trim());
}
