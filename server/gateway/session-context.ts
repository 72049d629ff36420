/** What the parts of a session share: services and limits of the node, and one authenticated connection. Types only. */
import type { Authenticator, Principal } from '../auth/authenticator.ts';
import type { Hub } from '../hub/hub.ts';
import type { UserLimits } from '../limits/user-limits.ts';
import type { Publisher } from '../publish/publisher.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Connection } from './connection.ts';

/** The same object for all sessions of a node. */
export interface SessionContext {
  readonly nodeId: string;
  readonly hub: Hub;
  readonly authenticator: Authenticator;
  readonly publisher: Publisher;
  readonly userLimits: UserLimits;
  readonly metrics: Metrics;
  readonly authTimeoutMs: number;
  /** Commands per second and connection. */
  readonly commandRate: number;
  readonly maxSubscriptions: number;
  readonly maxInFlightPublishes: number;
  readonly maxPayloadBytes: number;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly onError: (message: string, error: unknown) => void;
}

/** One connection after its authentication. */
export interface AuthenticatedConnection {
  readonly connection: Connection;
  readonly context: SessionContext;
  readonly principal: Principal;
}
