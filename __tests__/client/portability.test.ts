import { join } from 'node:path'
import { createContext, runInContext } from 'node:vm'
import { buildSync } from 'esbuild'
import { deviceOf, memoryOf, startIssuer } from './issuer.js'

/** What browsers and workers have, and the client may use. */
const GLOBALS = {
  ...{ AbortController, AbortSignal, Headers, Request, Response, URL, URLSearchParams, ReadableStream },
  ...{ TextDecoder, TextEncoder, Uint8Array, ArrayBuffer, atob, btoa, crypto, fetch, performance },
  ...{ setTimeout, clearTimeout, CryptoKey: crypto.subtle && Reflect.get(globalThis, 'CryptoKey') },
}

describe('the client in a browser', () => {
  it('needs no global of Node, and no module of Node', async () => {
    const { outputFiles } = buildSync({
      entryPoints: [join(__dirname, '../../lib/client/client.ts')],
      ...{ bundle: true, write: false, platform: 'browser', format: 'iife', globalName: 'client' },
    })
    const context = createContext({ ...GLOBALS })
    const code = outputFiles[0]?.text ?? ''
    const { provision } = runInContext(
      `${code}; client`,
      context,
    ) as typeof import('../../lib/client/client.js')
    const issuer = await startIssuer()
    try {
      const device = await provision(deviceOf(issuer, { state: memoryOf() }))
      const response = await device.fetch(`${issuer.origin}/telemetry`, { method: 'POST', body: 'hot' })
      expect([device.clientId, response.status]).toEqual(['device:7', 200])
    } finally {
      await issuer.close()
    }
  })
})
