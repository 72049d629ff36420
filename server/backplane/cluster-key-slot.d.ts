/** Types for the package cluster-key-slot, which has none. */
declare module 'cluster-key-slot' {
  /** Slot of a key or channel in a Redis Cluster, 0 to 16,383. If the name has a part in braces, only that part is hashed. */
  export default function slotOf(key: string): number;
}
