/**
 * A network on this machine that can lose packets for real: hosts, each in a namespace of its own, at one switch. To cut
 * a host off is to make its port at the switch drop every frame, to it and from it. Its own link stays up and so do its
 * routes, so that its TCP, and that of its peers, learns nothing: no RST, no FIN, no error, as with a dead router.
 *
 * Nothing of it touches the machine's own network, and nothing outside can reach it but through `port-forward.ts`.
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

  /** From now on packets from and to this host vanish. */
  cutOff(): Promise<void> {
    return this.#setPort('disabled');
  }

  /** Packets flow again. What was lost comes with TCP's next retransmission, which may take as long as the cut did. */
  restore(): Promise<void> {
    return this.#setPort('forwarding');
  }

  /** How many TCP connections this host's kernel holds to be in order with `peer`: half-open ones are among them. */
  async established(peer: Host): Promise<number> {
    const sockets = await this.namespace.run('ss', '-Htn', 'state', 'established', 'dst', peer.address);
    return sockets.split('\n').filter(Boolean).length;
  }

  async #setPort(state: keyof typeof PORT_STATES): Promise<void> {
    await this.#switch.run('bridge', 'link', 'set', 'dev', this.#port, 'state', PORT_STATES[state]);
  }
}

/** As the bridge numbers them. */
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

  /** A further host at the switch, reachable for all others. `name` is for messages. */
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

  /** Removes all hosts, and ends the programs that were started in their namespaces. */
  async remove(): Promise<void> {
    await Promise.all([...this.#hosts.map((host) => host.namespace), this.#switch].map((each) => each.remove()));
  }
}
