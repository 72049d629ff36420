/**
 * Writes the files of a build. Every file is replaced by a rename, so that running nodes and a second build at the same
 * time are safe. Must never empty a directory.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface WrittenFile {
  /** Absolute. */
  readonly path: string;
  readonly bytes: number;
}

/** Readers see either the old or the new content, never a part of it. */
export async function replaceFile(path: string, contents: string | Uint8Array): Promise<WrittenFile> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await writeFile(temporary, contents);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return { path, bytes: Buffer.byteLength(contents) };
}
