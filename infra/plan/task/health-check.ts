/** How a container learns whether its node is alive: the Dockerfile and the task definition use the same command. */
export const HEALTH_CHECK = [
  'node',
  '-e',
  // No template literal: `${` means something to Terraform.
  "fetch('http://127.0.0.1:'+(process.env.PORT||8080)+'/healthz',{signal:AbortSignal.timeout(4000)}).then(r=>process.exit(r.ok?0:1),()=>process.exit(1))",
] as const;
