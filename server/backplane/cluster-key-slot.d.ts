/** Has no types of its own. */
declare module 'cluster-key-slot' {
  /** Slot of a key or channel in a Redis Cluster, 0 to 16,383; of what is between braces, when something is. */
  export default function slotOf(key: string): number;
}
