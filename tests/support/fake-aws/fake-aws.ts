/**
 * A fake AWS on loopback (fake_aws.py: moto_server with what it lacks), and AWS's own Python client to ask it with. Both
 * are Python programs that Debian does not package, so global-setup cannot install them.
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ManagedProcess } from '../../../infra/host/managed-process.ts';
import { freePort } from '../../../infra/host/ports.ts';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';

const REGION = 'us-east-1';
const START_DEADLINE_MS = 60_000;

/** Why it cannot be started here, or undefined. */
export function whyNoFakeAws(): string | undefined {
  const { status } = spawnSync('python3', ['-c', 'import moto.server, boto3'], { stdio: 'ignore' });
  return status === 0 ? undefined : 'python3 has no moto: pip install "moto[server]" boto3';
}

/** `[service, operation, parameters]` in boto3's names. */
export type Question = readonly [service: string, operation: string, parameters?: Readonly<Record<string, unknown>>];

export class FakeAws {
  readonly url: string;
  private readonly process: ManagedProcess;
  private readonly logs: string;

  private constructor(url: string, process: ManagedProcess, logs: string) {
    this.url = url;
    this.process = process;
    this.logs = logs;
  }

  static async start(): Promise<FakeAws> {
    const port = await freePort();
    const logs = temporaryDirectory('fake-aws');
    const process = await ManagedProcess.start({
      name: 'fake-aws',
      command: 'python3',
      args: [join(import.meta.dirname, 'fake_aws.py'), '-H', '127.0.0.1', '-p', String(port)],
      logFile: join(logs, 'fake-aws.log'),
    });
    const url = `http://127.0.0.1:${port}`;
    await process.ready(async () => (await fetch(`${url}/moto-api/data.json`)).ok, { deadlineMs: START_DEADLINE_MS });
    return new FakeAws(url, process, logs);
  }

  /** What any AWS client needs in its environment to come here and nowhere else. */
  get env(): Record<string, string> {
    return {
      AWS_ENDPOINT_URL: this.url,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: REGION,
      AWS_DEFAULT_REGION: REGION,
      AWS_EC2_METADATA_DISABLED: 'true',
      // What the fake lacks answers 500, which the provider would try again for minutes.
      AWS_MAX_ATTEMPTS: '2',
    };
  }

  /** The answers, in the order of the questions; an error is an answer with `Error`. */
  // biome-ignore lint/suspicious/noExplicitAny: AWS's answers have hundreds of shapes.
  async ask(...questions: Question[]): Promise<any[]> {
    const child = spawn('python3', [join(import.meta.dirname, 'ask.py')], {
      env: { ...globalThis.process.env, ...this.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.end(
      JSON.stringify(questions.map(([service, operation, parameters = {}]) => [service, operation, parameters])),
    );
    const [answers, problem] = await Promise.all([text(child.stdout), text(child.stderr)]);
    if (answers === '') throw new Error(problem);
    return JSON.parse(answers);
  }

  async stop(): Promise<void> {
    await this.process.stop();
    removeTemporary(this.logs);
  }
}
