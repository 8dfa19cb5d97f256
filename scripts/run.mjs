/**
 * Sets the checkout up, then becomes the given program: `node scripts/run.mjs FILE [ARGUMENTS]`. FILE may be
 * TypeScript. The program runs in this very process, so signals, exit code, input and output are its own.
 */
import Module, { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { setUp } from './setup.mjs'

const require = createRequire(import.meta.url)
const [file, ...arguments_] = process.argv.slice(2)
if (file === undefined) {
  console.error('usage: node scripts/run.mjs FILE [ARGUMENTS]')
  process.exit(2)
}
setUp()

if (file.endsWith('.ts')) require('esbuild-register')
process.argv = [process.execPath, resolve(file), ...arguments_]
Module.runMain()
