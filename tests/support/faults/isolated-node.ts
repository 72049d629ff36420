/**
 * A node in its own network, and hosts in that network from which clients reach it. Each host can be cut off. `node.url`
 * reaches the node past this network, the `url` of a client host reaches it through the network. The node uses the
 * PostgreSQL that all tests share, and no Redis.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { freePorts } from '../../../infra/host/ports.ts';
import { HoldfastNode } from '../../../infra/local/servers/node.ts';
import { signToken } from '../../../infra/local/token/sign-token.ts';
import { createDatabase } from '../database.ts';
import { type Host, Network } from './network.ts';
import { forwardUnixSocket, Gate } from './port-forward.ts';

export interface ClientHost {
  readonly host: Host;
  /** Address of the node through this host. */
  readonly url: string;
}

export class IsolatedNode {
  /** Its `url` and `metricsUrl` also work while hosts are cut off. */
  readonly node: HoldfastNode;
  /** The host of the node. */
  readonly host: Host;
  readonly #network: Network;
  readonly #secret: string;
  readonly #undo: Undo;

  private constructor(network: Network, host: Host, node: HoldfastNode, secret: string, undo: Undo) {
    this.#network = network;
    this.host = host;
    this.node = node;
    this.#secret = secret;
    this.#undo = undo;
  }

  static async start(env: Readonly<Record<string, string>> = {}): Promise<IsolatedNode> {
    const undo: Undo = [];
    try {
      const database = await createDatabase();
      undo.push(database.drop);
      const network = await Network.create();
      undo.push(() => network.remove());
      const host = await network.host('server');
      const secret = randomBytes(32).toString('base64url');
      const databaseUrl = await bringIn(host, database.url, undo);
      const node = await startNode(host, { ...env, DATABASE_URL: databaseUrl, AUTH_JWT_SECRET: secret }, undo);
      return new IsolatedNode(network, host, node, secret, undo);
    } catch (error) {
      await undoAll(undo);
      throw error;
    }
  }

  /** Adds a host for clients. */
  async clientHost(name: string): Promise<ClientHost> {
    const host = await this.#network.host(name);
    const gate = await Gate.open(host.namespace);
    const forward = await gate.forward({ host: this.host.address, port: this.node.port });
    this.#undo.push(() => forward.close());
    return { host, url: `http://127.0.0.1:${forward.port}` };
  }

  /** A token that the node accepts, for every channel. */
  token(user: string): Promise<string> {
    return signToken({ user }, this.#secret);
  }

  stop(): Promise<void> {
    return undoAll(this.#undo);
  }
}

/** What stops each part, in the order in which the parts were started. */
type Undo = (() => Promise<void>)[];

async function undoAll(undo: Undo): Promise<void> {
  for (const each of undo.splice(0).reverse()) await each();
}

/** Makes the shared PostgreSQL reachable inside the namespace; returns its URL there. */
async function bringIn(host: Host, databaseUrl: string, undo: Undo): Promise<string> {
  const url = new URL(databaseUrl);
  const { directory } = host.namespace;
  const forward = await forwardUnixSocket(join(directory, `.s.PGSQL.${url.port}`), Number(url.port));
  undo.push(() => forward.close());
  url.searchParams.set('host', directory);
  return url.href;
}

async function startNode(host: Host, env: Readonly<Record<string, string>>, undo: Undo): Promise<HoldfastNode> {
  const { directory, prefix } = host.namespace;
  const [port = 0, metricsPort = 0] = await freePorts(2);
  const gate = await Gate.open(host.namespace);
  for (const each of [port, metricsPort]) {
    const forward = await gate.forward({ host: '127.0.0.1', port: each }, each);
    undo.push(() => forward.close());
  }
  const node = await HoldfastNode.start({
    name: 'isolated',
    port,
    metricsPort,
    logFile: join(directory, 'node.log'),
    env: { PATH: process.env.PATH ?? '', LOG_LEVEL: 'warn', ...env },
    // All addresses of its namespace, which include none of this machine.
    host: '0.0.0.0',
    prefix,
  });
  undo.push(() => node.stop());
  return node;
}
