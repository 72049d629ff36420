/**
 * An application project outside the repository, with the packed client installed from its tarball as an application
 * does it. Owns the temporary directory. Needs no registry: npm runs offline.
 */
import { type ExecFileException, execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../../infra/host/paths.ts';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';

const TIMEOUT_MS = 60_000;

export interface Ran {
  readonly code: number;
  /** Standard output and standard error. */
  readonly output: string;
}

/** Environment of npm without the settings that an outer `npm test` hands down. */
const ENVIRONMENT = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|INIT_CWD$)/i.test(name)),
);

export class ClientProject {
  readonly directory = temporaryDirectory('client-project');
  /** What `npm run build` printed. */
  buildOutput = '';
  tarballBytes = 0;
  /** The paths in the tarball. */
  packed: readonly string[] = [];
  /** The packages that npm installed with the client, the client included, by their path. */
  installed: readonly string[] = [];

  /** Builds, packs and installs the client. @throws Error with the output of the command that failed */
  async install(): Promise<this> {
    this.write('package.json', JSON.stringify({ name: 'application', private: true, type: 'module' }));
    this.buildOutput = await this.npm(ROOT, 'run', '--silent', 'build');
    const packing = await this.npm(
      join(ROOT, 'dist', 'client'),
      'pack',
      '--json',
      '--pack-destination',
      this.directory,
    );
    const [report] = JSON.parse(packing) as [{ filename: string; files: { path: string }[] }];
    const tarball = join(this.directory, report.filename);
    this.tarballBytes = statSync(tarball).size;
    this.packed = report.files.map(({ path }) => path);
    await this.npm(this.directory, 'install', tarball, '--offline', '--no-audit', '--no-fund');
    const lock = readFileSync(join(this.directory, 'node_modules', '.package-lock.json'), 'utf8');
    this.installed = Object.keys((JSON.parse(lock) as { packages: object }).packages);
    return this;
  }

  write(path: string, text: string): string {
    const file = join(this.directory, path);
    writeFileSync(file, text);
    return file;
  }

  /** Links a package of the repository, as if the application had installed it. Linking it twice has no effect. */
  link(name: string): void {
    const target = join(this.directory, 'node_modules', name);
    if (existsSync(target)) return;
    mkdirSync(join(target, '..'), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), target);
  }

  /** Runs a program in the project. */
  run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    return run(this.directory, program, args, env);
  }

  remove(): void {
    removeTemporary(this.directory);
  }

  private async npm(cwd: string, ...args: readonly string[]): Promise<string> {
    const { code, output, stdout } = await run(cwd, 'npm', args, {});
    if (code !== 0) throw new Error(`npm ${args.join(' ')} ended with ${code}.\n${output}`);
    return stdout;
  }
}

function run(
  cwd: string,
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Ran & { stdout: string }> {
  const options = { cwd, env: { ...ENVIRONMENT, ...env }, timeout: TIMEOUT_MS };
  return new Promise((resolve) => {
    execFile(program, [...args], options, (error: ExecFileException | null, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, output: stdout + stderr });
    });
  });
}
