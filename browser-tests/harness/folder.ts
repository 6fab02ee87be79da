// Where things are.

import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

/** The folder `browser-tests`. Everything that runs is a bundle in one of the folders of `dist`. */
export const root = fileURLToPath(new URL('../../', import.meta.url));
/** The bundled pages. */
export const pages = join(root, 'dist/pages');
/** What failed tests leave. */
export const artifacts = join(root, 'artifacts');
