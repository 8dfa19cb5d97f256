import { randomBytes } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Express } from 'express'
import * as client from 'openid-client'
import { fetchTrusting } from '../support/foreign-fetch.js'
import { localCertificate } from '../support/server.js'
import { codeBlocks } from './markdown'
import { runCode } from './run-code'

const PAGE = 'docs/concepts/possession.md'
/** The page reads it from the environment. */
const SECRET = randomBytes(32).toString('hex')
process.env['RUNNER_SECRET'] = SECRET

/** Runs a piece of TypeScript of the page with some modules and returns its exports. */
function run<T>(index: number, modules: Record<string, unknown> = {}): T {
  const blocks = codeBlocks(PAGE).filter(({ language }) => language === 'ts')
  return runCode<T>(blocks[index]?.code ?? '', { modules })
}

/** A `fetch` for which every host of the page is a server on this machine. */
async function served(app: Express, test: (fetching: client.CustomFetch) => Promise<void>): Promise<void> {
  const { key, cert } = localCertificate()
  const server = createServer({ key, cert }, app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `https://localhost:${(server.address() as AddressInfo).port}`
  const trusting = fetchTrusting(cert)
  try {
    await test((url, init) => trusting(url.replace(/^https:\/\/\w+\.example\.com/, origin), init))
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

/** The library with another `fetch`. */
function clientFetching(fetching: client.CustomFetch): typeof client {
  const discovery: typeof client.discovery = (issuer, id, metadata, authentication, options) =>
    client.discovery(issuer, id, metadata, authentication, { ...options, [client.customFetch]: fetching })
  return { ...client, discovery }
}

interface ClientOfThePage {
  createDevice(secret: string): Promise<unknown>
}

describe('the code on proof of possession', () => {
  it('redeems a key that is bound, on a server that wants it so', async () => {
    const { app } = run<{ app: Express }>(0)
    await served(app, async (fetching) => {
      const { createDevice } = run<ClientOfThePage>(1, { 'openid-client': clientFetching(fetching) })
      expect(await createDevice(SECRET)).toEqual({
        owner: 'ci-runner',
        key: expect.stringMatching(/^[\w-]{43}$/),
      })
    })
  })

  it('makes a server that wants nonces, of a secret in the environment', () => {
    const before = process.env['DPOP_NONCE_SECRET']
    try {
      process.env['DPOP_NONCE_SECRET'] = 'n'.repeat(32)
      expect(run<object>(2)).toHaveProperty('keysWithNonces.router')
      delete process.env['DPOP_NONCE_SECRET']
      expect(() => run(2)).toThrow('dpop.nonceSecret: expected at least 32 characters')
    } finally {
      if (before !== undefined) process.env['DPOP_NONCE_SECRET'] = before
    }
  })
})
