// Bundles the pages for browsers into dist/pages, and harness and tests for Node into dist.

import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { build } from 'esbuild';

const folder = new URL('.', import.meta.url).pathname;
const dist = `${folder}dist`;

async function sources(name) {
  const files = await readdir(`${folder}${name}`);
  return files.filter((file) => file.endsWith('.ts')).map((file) => `${folder}${name}/${file}`);
}

async function page(name) {
  await build({
    entryPoints: [`${folder}pages/${name}/main.ts`],
    outdir: `${dist}/pages/${name}`,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    sourcemap: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  const assets = (await readdir(`${folder}pages/${name}`)).filter((file) => !file.endsWith('.ts'));
  for (const asset of assets) await cp(`${folder}pages/${name}/${asset}`, `${dist}/pages/${name}/${asset}`);
}

async function program(name) {
  await build({
    entryPoints: await sources(name),
    outdir: `${dist}/${name}`,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    logLevel: 'warning',
  });
}

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
await Promise.all([page('test'), page('demo'), page('speed'), program('harness'), program('tests')]);
