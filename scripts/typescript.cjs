/**
 * Lets a process load the TypeScript sources of this checkout: `node -r ./scripts/typescript.cjs FILE`. SWC works in
 * this process. esbuild-register waits for another thread, without a limit, and sometimes for ever.
 */
const Module = require('node:module')
const { transformSync } = require('@swc/core')
const { addHook } = require('pirates')

const SWC = {
  swcrc: false,
  sourceMaps: 'inline',
  module: { type: 'commonjs' },
  jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
}

addHook((code, filename) => transformSync(code, { ...SWC, filename }).code, { exts: ['.ts'] })

// Sources import each other as the `.js` files they become.
const resolve = Module._resolveFilename
Module._resolveFilename = function (request, parent, ...rest) {
  const source = /^\.{1,2}\/.*\.js$/.test(request) && parent?.filename?.endsWith('.ts')
  return resolve.call(this, source ? request.replace(/\.js$/, '.ts') : request, parent, ...rest)
}
