/** Ends the process of a command once its result is printed, also while sockets or timers are still open. */

/**
 * Runs a command and ends the process. The exit code is `process.exitCode`, or 1 when `main` throws: then the message of the
 * error is printed to stderr. Output is complete before the process ends.
 */
export async function runCommand(main: () => Promise<unknown>): Promise<never> {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
  return endCommand();
}

/** Ends the process with `process.exitCode` once its output is complete. For what follows the last line of a script. */
export async function endCommand(): Promise<never> {
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  // Returning instead would wait for open sockets, and the clean-up of Node.js can then spin on a request that never ends.
  process.exit();
}

/** Resolves when all that was written has left the process, or when the reader has closed the pipe. */
function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once('error', () => resolve());
    stream.write('', () => resolve());
  });
}
