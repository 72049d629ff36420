/** Ports of the parts: those that the load balancer opens, and those on which each part listens. Pure. */
export const PORTS = { https: 443, http: 80, server: 8_080, postgres: 5_432, redis: 6_379, grafana: 3_000 } as const;
