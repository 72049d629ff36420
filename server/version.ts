/** The version of this build. The bundler inserts it from `package.json`; unbundled sources report `development`. */
declare const HOLDFAST_VERSION: string | undefined;

export const VERSION: string = typeof HOLDFAST_VERSION === 'string' ? HOLDFAST_VERSION : 'development';
