import { transformSync } from '@swc/core'
import * as library from '../../lib/index.js'

interface Surroundings {
  /** What `require` returns for these names. For all others it loads the installed module. */
  readonly modules?: Record<string, unknown>
  readonly globals?: object
}

/** Runs a piece of TypeScript as a CommonJS module and returns its exports. */
export function runCode<T>(typeScript: string, { modules = {}, globals = {} }: Surroundings = {}): T {
  const module = { exports: {} }
  const known: Record<string, unknown> = { 'express-provisioning-keys': library, ...modules }
  const load = (name: string) => known[name] ?? require(name)
  const scope = { module, exports: module.exports, require: load, ...globals }
  new Function(...Object.keys(scope), javaScript(typeScript))(...Object.values(scope))
  return module.exports as T
}

/** Removes the types. SWC works in this process. esbuild waits for another thread, and sometimes for ever. */
export function javaScript(typeScript: string, format: 'commonjs' | 'es6' = 'commonjs'): string {
  return transformSync(typeScript, {
    swcrc: false,
    module: { type: format },
    jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
  }).code
}
