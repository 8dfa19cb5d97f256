/**
 * Prepares the checkout, then runs a program in this same process, so that its signals, exit code, input and output
 * are its own: `node scripts/run.mjs [--with-programs] FILE [ARGUMENTS]`. FILE may be TypeScript. With
 * `--with-programs`, this also provides the programs that the tests start, such as redis-server.
 */
import Module, { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { ensurePrograms } from './programs.mjs'
import { setUp } from './setup.mjs'

const arguments_ = process.argv.slice(2)
const needsPrograms = arguments_[0] === '--with-programs'
const [file, ...rest] = arguments_.slice(needsPrograms ? 1 : 0)
if (file === undefined) {
  console.error('usage: node scripts/run.mjs [--with-programs] FILE [ARGUMENTS]')
  process.exit(2)
}
if (needsPrograms) {
  ensurePrograms()
  // Tests cause warnings of the library on purpose. Printed ones would look like faults of the tests.
  process.env.NODE_NO_WARNINGS = '1'
}
setUp()

if (file.endsWith('.ts')) createRequire(import.meta.url)('./typescript.cjs')
process.argv = [process.execPath, resolve(file), ...rest]
Module.runMain()
