/**
 * The door to `global-setup.ts`: Jest loads this file natively, without its transforms, and so could not read
 * TypeScript.
 */
import { tsImport } from 'tsx/esm/api';

export default async function setUp(...args) {
  const { default: run } = await tsImport('./global-setup.ts', import.meta.url);
  await run(...args);
}
