/**
 * moto_server, a fake AWS on loopback, as a child process: real requests, real XML, and (after `requireSignatures`) real
 * checks of signatures and IAM permissions by code that is not ours. A Python program that Debian does not package, so
 * global-setup cannot install it: where it is missing, its tests are skipped and say so.
 */
import { join } from 'node:path';
import { AwsClient } from 'aws4fetch';
import { ManagedProcess } from '../../infra/host/managed-process.ts';
import { freePort } from '../../infra/host/ports.ts';
import { findProgram } from '../../infra/host/programs.ts';
import { removeTemporary, temporaryDirectory } from '../../infra/host/reaper.ts';

const PROGRAM = 'moto_server';
const START_DEADLINE_MS = 60_000;
const REGION = 'us-east-1';
const VERSIONS = { ec2: '2016-11-15', elasticloadbalancing: '2015-12-01', iam: '2010-05-08', sts: '2011-06-15' };

export interface MotoKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export class Moto {
  readonly url: string;
  readonly process: ManagedProcess;
  private readonly logs: string;
  private admin: MotoKeys = { accessKeyId: 'test', secretAccessKey: 'test' };

  private constructor(url: string, process: ManagedProcess, logs: string) {
    this.url = url;
    this.process = process;
    this.logs = logs;
  }

  static async start(): Promise<Moto> {
    const port = await freePort();
    const logs = temporaryDirectory('moto');
    const url = `http://127.0.0.1:${port}`;
    const process = await ManagedProcess.start({
      name: PROGRAM,
      command: findProgram(PROGRAM) ?? PROGRAM,
      args: ['-H', '127.0.0.1', '-p', String(port)],
      logFile: join(logs, 'moto.log'),
    });
    const moto = new Moto(url, process, logs);
    await process.ready(async () => (await fetch(`${url}/moto-api/data.json`)).ok, { deadlineMs: START_DEADLINE_MS });
    return moto;
  }

  /** Calls a Query API as the administrator, and returns the XML. @throws Error when AWS would refuse the call */
  async call(service: keyof typeof VERSIONS, action: string, params: Record<string, string> = {}): Promise<string> {
    const client = new AwsClient({ ...this.admin, service, region: REGION, retries: 0 });
    const body = new URLSearchParams({ Action: action, Version: VERSIONS[service], ...params }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const response = await client.fetch(`${this.url}/`, { method: 'POST', headers, body });
    const xml = await response.text();
    if (!response.ok) throw new Error(`${action}: ${xml}`);
    return xml;
  }

  /** From now on moto checks signatures and IAM permissions of every call. Calls of this object pass both checks. */
  async requireSignatures(): Promise<void> {
    await this.call('iam', 'CreateUser', { UserName: 'admin' });
    const key = await this.call('iam', 'CreateAccessKey', { UserName: 'admin' });
    await this.call('iam', 'PutUserPolicy', {
      UserName: 'admin',
      PolicyName: 'all',
      PolicyDocument: JSON.stringify(policy('*')),
    });
    this.admin = keysIn(key);
    await fetch(`${this.url}/moto-api/reset-auth`, { method: 'POST', body: '0' });
  }

  /** Temporary keys of a new role with permission for this one action, in the form that ECS gives to a task. */
  async roleKeys(name: string, action: string): Promise<MotoKeys & { readonly expiration: string }> {
    const trust = { Version: '2012-10-17', Statement: { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: '*' } };
    await this.call('iam', 'CreateRole', { RoleName: name, AssumeRolePolicyDocument: JSON.stringify(trust) });
    await this.call('iam', 'PutRolePolicy', {
      RoleName: name,
      PolicyName: 'one',
      PolicyDocument: JSON.stringify(policy(action)),
    });
    const RoleArn = `arn:aws:iam::123456789012:role/${name}`;
    const xml = await this.call('sts', 'AssumeRole', { RoleArn, RoleSessionName: 'task' });
    return { ...keysIn(xml), sessionToken: element(xml, 'SessionToken'), expiration: element(xml, 'Expiration') };
  }

  async stop(): Promise<void> {
    await this.process.stop();
    removeTemporary(this.logs);
  }
}

/** Content of the first element of this name. */
export function element(xml: string, name: string): string {
  const [, content] = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml) ?? [];
  if (content === undefined) throw new Error(`no ${name} in ${xml}`);
  return content;
}

function keysIn(xml: string): MotoKeys {
  return { accessKeyId: element(xml, 'AccessKeyId'), secretAccessKey: element(xml, 'SecretAccessKey') };
}

function policy(action: string) {
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: action, Resource: '*' }] };
}

/** A target group for addresses, with a balancer that uses it. @returns its ARN */
export async function createTargetGroup(moto: Moto, port: number): Promise<string> {
  const VpcId = element(await moto.call('ec2', 'CreateVpc', { CidrBlock: '10.0.0.0/16' }), 'vpcId');
  const subnets: string[] = [];
  for (const [zone, CidrBlock] of [
    ['us-east-1a', '10.0.0.0/24'],
    ['us-east-1b', '10.0.1.0/24'],
  ] as const) {
    const subnet = await moto.call('ec2', 'CreateSubnet', { VpcId, CidrBlock, AvailabilityZone: zone });
    subnets.push(element(subnet, 'subnetId'));
  }
  const elb = (action: string, params: Record<string, string>) => moto.call('elasticloadbalancing', action, params);
  const group = { Name: 'nodes', TargetType: 'ip', Protocol: 'HTTP', Port: String(port), VpcId };
  const TargetGroupArn = element(await elb('CreateTargetGroup', group), 'TargetGroupArn');
  const balancer = await elb('CreateLoadBalancer', {
    Name: 'front',
    'Subnets.member.1': subnets[0] ?? '',
    'Subnets.member.2': subnets[1] ?? '',
  });
  await elb('CreateListener', {
    LoadBalancerArn: element(balancer, 'LoadBalancerArn'),
    Protocol: 'HTTP',
    Port: '80',
    'DefaultActions.member.1.Type': 'forward',
    'DefaultActions.member.1.TargetGroupArn': TargetGroupArn,
  });
  return TargetGroupArn;
}

/** Task metadata of a Fargate task with a sidecar, with the fields that the server reads. */
export function taskMetadata(address: string) {
  const Networks = [{ NetworkMode: 'awsvpc', IPv4Addresses: [address], IPv4SubnetCIDRBlock: '10.0.0.0/24' }];
  return {
    Cluster: 'default',
    Family: 'holdfast',
    LaunchType: 'FARGATE',
    Containers: [
      { Name: 'holdfast', KnownStatus: 'RUNNING', Networks },
      { Name: 'collector', KnownStatus: 'PENDING', Networks: [] },
      { Name: 'proxy', KnownStatus: 'RUNNING', Networks },
    ],
  };
}
