/** The version of this build: of `package.json`, put in by the bundler. */
declare const HOLDFAST_VERSION: string | undefined;

export const VERSION: string = typeof HOLDFAST_VERSION === 'string' ? HOLDFAST_VERSION : 'development';
