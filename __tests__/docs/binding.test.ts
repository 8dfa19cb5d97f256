import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import type { ProvisioningOptions } from '../../lib/index.js'
import { fetchTrusting } from '../support/foreign-fetch.js'
import { obtainKey } from '../support/requests.js'
import { CLIENT, type RunningServer, SECRET, startServer } from '../support/server.js'
import { codeUnder } from './markdown'
import { runCode } from './run-code'

type Functions = Record<string, (...given: never[]) => unknown>

/** The exports of the code under a heading of the page, run against a server. */
function exportsUnder(heading: string, { origin, cert }: RunningServer): Functions {
  const code = codeUnder('docs/guides/binding.md', heading).replaceAll('https://auth.example.com', origin)
  return runCode(code, { globals: { fetch: fetchTrusting(cert) } })
}

async function withServer(test: (server: RunningServer) => Promise<void>): Promise<void> {
  const optionsAt = (origin: string): Partial<ProvisioningOptions> => ({ issuer: origin, audience: origin })
  const server = await startServer({ optionsAt, mount: (app, keys) => void app.use(keys.router()) })
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

describe('the code on binding', () => {
  test('binds a device with nothing but Node, which then asks for keys', () =>
    withServer(async (server) => {
      const { bind, askForKey } = exportsUnder('A device with nothing but Node', server)
      const scope = 'provision:bind devices:read'
      const key = await obtainKey(server, { requested_subject: 'device:7', scope })
      const device = await bind?.(key as never)
      expect(device).toMatchObject({ clientId: 'device:7' })
      expect(await askForKey?.(device as never, 'devices:read' as never)).toMatch(/^eyJ/)
      await expect(bind?.(key as never)).rejects.toThrow(/invalid_token/)
    }))

  test('binds the own key of a client with openid-client', () =>
    withServer(async (server) => {
      const options = { algorithm: 'oauth2' as const, [client.customFetch]: fetchTrusting(server.cert) }
      const issuer = new URL(server.origin)
      const config = await client.discovery(issuer, CLIENT, SECRET, undefined, options)
      const { bindOwnKey } = exportsUnder('openid-client', server)
      const privateKey = (await bindOwnKey?.(config as never)) as client.CryptoKey
      const authentication = client.PrivateKeyJwt(privateKey)
      const bound = await client.discovery(issuer, CLIENT, undefined, authentication, options)
      const issued = await client.clientCredentialsGrant(bound, { scope: 'devices:read' })
      expect(issued.scope).toBe('devices:read')
      expect(server.events.at(-1)).toMatchObject({ type: 'key.issued', clientId: CLIENT })
    }))

  test('binds the own key of a client with oauth4webapi', () =>
    withServer(async (server) => {
      const { fetch } = globalThis
      globalThis.fetch = fetchTrusting(server.cert) as typeof fetch
      try {
        const issuer = new URL(server.origin)
        const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' })
        const as = await oauth.processDiscoveryResponse(issuer, found)
        const self = { client_id: CLIENT }
        const { bindOwnKey } = exportsUnder('oauth4webapi', server)
        const privateKey = (await bindOwnKey?.(...([as, self, SECRET] as never[]))) as oauth.CryptoKey
        const scope = 'devices:read'
        const proof = oauth.PrivateKeyJwt(privateKey)
        const asked = await oauth.clientCredentialsGrantRequest(
          as,
          self,
          proof,
          new URLSearchParams({ scope }),
        )
        expect(await oauth.processClientCredentialsResponse(as, self, asked)).toMatchObject({ scope })
      } finally {
        globalThis.fetch = fetch
      }
    }))
})
