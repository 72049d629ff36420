/**
 * A fake AWS on loopback (fake_aws.py: moto_server with what it lacks), and AWS's own Python client to ask it with. Both
 * are Python programs that Debian does not package, so global-setup cannot install them.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ManagedProcess } from '../../../infra/host/managed-process.ts';
import { freePort } from '../../../infra/host/ports.ts';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';

const REGION = 'us-east-1';
const START_DEADLINE_MS = 60_000;

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

  /** Environment variables that direct every AWS client to the fake. */
  get env(): Record<string, string> {
    return {
      AWS_ENDPOINT_URL: this.url,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: REGION,
      AWS_DEFAULT_REGION: REGION,
      AWS_EC2_METADATA_DISABLED: 'true',
      // The fake answers 500 to operations that it lacks; the provider would retry those for minutes.
      AWS_MAX_ATTEMPTS: '2',
    };
  }

  /** The responses, in the order of the questions. A failed operation has the field `Error`. */
  // biome-ignore lint/suspicious/noExplicitAny: the responses of AWS have hundreds of shapes.
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
