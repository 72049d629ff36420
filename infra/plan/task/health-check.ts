/**
 * The command that a container runs to check whether its node is alive (GET /healthz). The Dockerfile and the task
 * definition use the same command.
 */
export const HEALTH_CHECK = [
  'node',
  '-e',
  // No template literal in the script: Terraform would interpret `${`.
  "fetch('http://127.0.0.1:'+(process.env.PORT||8080)+'/healthz',{signal:AbortSignal.timeout(4000)}).then(r=>process.exit(r.ok?0:1),()=>process.exit(1))",
] as const;
