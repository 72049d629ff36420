/**
 * A network on this machine in which packets can be lost: hosts, each in its own namespace, at one switch. For a host that
 * is cut off, the switch drops every frame in both directions. The link and the routes of the host stay up, so neither
 * its TCP nor that of its peers gets a RST, a FIN or an error, as behind a dead router.
 *
 * It never touches the network of the machine, which reaches it only through `port-forward.ts`.
 */
import { Namespace } from './namespace.ts';

const SUBNET = '10.77.0';
const BRIDGE = 'switch';

export class Host {
  readonly address: string;
  readonly namespace: Namespace;
  readonly #switch: Namespace;
  readonly #port: string;

  constructor(namespace: Namespace, at: Namespace, port: string, address: string) {
    this.namespace = namespace;
    this.address = address;
    this.#switch = at;
    this.#port = port;
  }

  /** Drops all packets from and to this host, until `restore`. */
  cutOff(): Promise<void> {
    return this.#setPort('disabled');
  }

  /** Lets packets through again. TCP retransmits what was lost, possibly only after as long as the cut took. */
  restore(): Promise<void> {
    return this.#setPort('forwarding');
  }

  /** Number of TCP connections with `peer` that the kernel of this host has as established, half-open ones included. */
  async established(peer: Host): Promise<number> {
    const sockets = await this.namespace.run('ss', '-Htn', 'state', 'established', 'dst', peer.address);
    return sockets.split('\n').filter(Boolean).length;
  }

  async #setPort(state: keyof typeof PORT_STATES): Promise<void> {
    await this.#switch.run('bridge', 'link', 'set', 'dev', this.#port, 'state', PORT_STATES[state]);
  }
}

/** States of a switch port, as `bridge link` numbers them. */
const PORT_STATES = { disabled: '0', forwarding: '3' } as const;

export class Network {
  readonly #switch: Namespace;
  readonly #hosts: Host[] = [];
  #ports = 0;

  private constructor(at: Namespace) {
    this.#switch = at;
  }

  static async create(): Promise<Network> {
    const at = await Namespace.create('switch');
    await at.run('ip', 'link', 'add', BRIDGE, 'type', 'bridge');
    await at.run('ip', 'link', 'set', BRIDGE, 'up');
    return new Network(at);
  }

  /** Adds a host that reaches all others. `name` is for messages. */
  async host(name: string): Promise<Host> {
    const number = ++this.#ports;
    const [port, address] = [`port${number}`, `${SUBNET}.${number}`];
    const namespace = await Namespace.create(name);
    const host = new Host(namespace, this.#switch, port, address);
    this.#hosts.push(host);
    const wire = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', String(namespace.pid)];
    await this.#switch.run('ip', 'link', 'add', port, ...wire);
    await this.#switch.run('ip', 'link', 'set', port, 'master', BRIDGE, 'up');
    await namespace.run('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0');
    await namespace.run('ip', 'link', 'set', 'eth0', 'up');
    return host;
  }

  /** Removes all hosts and ends the programs in their namespaces. */
  async remove(): Promise<void> {
    await Promise.all([...this.#hosts.map((host) => host.namespace), this.#switch].map((each) => each.remove()));
  }
}
