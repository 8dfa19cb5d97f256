import { generateKeyPairSync, randomBytes } from 'node:crypto'
import * as https from 'node:https'
import type { AddressInfo } from 'node:net'
import express from 'express'
import * as client from 'openid-client'
import supertest from 'supertest'
import * as library from '../../lib/index.js'
import { makeAuthority, makeCertificate } from '../support/certificates.js'
import { fetchTrusting } from '../support/foreign-fetch.js'
import { localCertificate } from '../support/server.js'
import { codeUnder } from './markdown'
import { runCode } from './run-code'

const FROM_PROXY = { 'X-Forwarded-Proto': 'https' }
/** The pages read it from the environment. */
const SECRET = randomBytes(32).toString('hex')
process.env['FLEET_SECRET'] = SECRET

function appOf(keys: library.ProvisioningKeys) {
  return express().set('trust proxy', 'loopback').use(keys.router())
}

/** A `fetch` for which every host is this app. */
function fetchFrom(app: express.Express) {
  return async (url: string, init: RequestInit = {}) => {
    const { pathname } = new URL(url)
    const method = (init.method ?? 'GET').toLowerCase() as 'get' | 'post' | 'put'
    const headers = { ...FROM_PROXY, ...Object.fromEntries(new Headers(init.headers)) }
    const { status, text } = await supertest(app)
      [method](pathname)
      .set(headers)
      .send(init.body as string)
    return new Response(text, { status })
  }
}

describe('docs/guides/registration.md', () => {
  const PAGE = 'docs/guides/registration.md'

  async function registered(keys: library.ProvisioningKeys, metadata: object) {
    const app = appOf(keys)
    const { body } = await supertest(app)
      .post('/oauth/token')
      .set(FROM_PROXY)
      .auth('fleet', SECRET)
      .type('form')
      .send({ grant_type: 'client_credentials', scope: 'provision:register devices:read' })
      .expect(200)
    const answer = await supertest(app)
      .post('/oauth/register')
      .set({ ...FROM_PROXY, Authorization: `Bearer ${body.access_token}` })
      .send(metadata)
    return { app, answer }
  }

  it('registers a client that says its name, and renames it', async () => {
    const { registering } = runCode<{ registering: library.ProvisioningKeys }>(
      codeUnder(PAGE, 'Switch it on'),
    )
    const unnamed = await registered(registering, { scope: 'devices:read' })
    expect(unnamed.answer.body).toEqual({
      error: 'invalid_client_metadata',
      error_description: expect.stringContaining('Send a client_name.'),
    })
    const { app, answer } = await registered(registering, { client_name: 'Sensor 7', scope: 'devices:read' })
    expect(answer.status).toBe(201)
    type Rename = (told: unknown, name: string) => Promise<Record<string, unknown>>
    const { rename } = runCode<{ rename: Rename }>(codeUnder(PAGE, 'Managing it'), {
      globals: { fetch: fetchFrom(app) },
    })
    const told = await rename(answer.body, 'Sensor 8')
    expect(told).toMatchObject({ client_name: 'Sensor 8', client_id: answer.body.client_id })
    expect(told.registration_access_token).not.toBe(answer.body.registration_access_token)
    expect(await rename(told, 'Sensor 9')).toMatchObject({ client_name: 'Sensor 9' })
  })

  it('has redirects judged by a policy of the page', async () => {
    const { ourRedirects } = runCode<{ ourRedirects: library.RegistrationPolicy }>(
      codeUnder(PAGE, 'Registration policies'),
    )
    const keys = library.provisioningKeys({
      issuer: 'https://auth.example.com',
      audience: 'https://api.example.com',
      signingKeys: library.generateSigningKeys(),
      policy: { scopes: ['provision:register', 'devices:read'], registrationPolicies: ['ours'] },
      clients: [{ clientId: 'fleet', clientSecret: SECRET }],
      registration: { policies: { ours: ourRedirects } },
    })
    const foreign = await registered(keys, { redirect_uris: ['https://elsewhere.example.org/'] })
    expect(foreign.answer.body.error_description).toMatch(/expected addresses of ours/)
    expect((await registered(keys, { redirect_uris: ['https://app.example.com/'] })).answer.status).toBe(201)
  })

  it('takes the options for software statements', () => {
    type Vendor = (jwk: object) => Partial<library.ProvisioningOptions>
    const { vendor } = runCode<{ vendor: Vendor }>(codeUnder(PAGE, 'Software statements'))
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const options = {
      issuer: 'https://auth.example.com',
      audience: 'https://api.example.com',
      signingKeys: library.generateSigningKeys(),
      clients: [],
      ...vendor(publicKey.export({ format: 'jwk' })),
    }
    expect(() => library.provisioningKeys(options)).not.toThrow()
  })
})

/** Runs a test against an https server on this machine, with a `fetch` for which every host is this server. */
async function served(
  server: https.Server,
  test: (fetching: client.CustomFetch, origin: string) => Promise<void>,
): Promise<void> {
  const { cert } = localCertificate()
  if (!server.listening) await new Promise((resolve) => server.once('listening', () => resolve(undefined)))
  const origin = `https://localhost:${(server.address() as AddressInfo).port}`
  const trusting = fetchTrusting(cert)
  try {
    await test((url, init) => trusting(url.replace('https://auth.example.com', origin), init), origin)
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

describe('docs/guides/client-authentication.md', () => {
  it('asks for a key with an assertion', async () => {
    const { privateKey, publicKey } = await client.randomDPoPKeyPair('ES256', { extractable: true })
    const jwk = (await crypto.subtle.exportKey('jwk', publicKey)) as { kty: string }
    type Page = {
      keysOf: (jwk: object) => library.ProvisioningKeys
      askForKey: (key: unknown) => Promise<string>
    }
    const page = 'docs/guides/client-authentication.md'
    const { keysOf } = runCode<Page>(codeUnder(page, 'private_key_jwt'))
    const { key, cert } = localCertificate()
    const server = https.createServer({ key, cert }, express().use(keysOf(jwk).router())).listen(0)
    await served(server, async (fetching) => {
      const discovery: typeof client.discovery = (issuer, id, metadata, authentication, options) =>
        client.discovery(issuer, id, metadata, authentication, { ...options, [client.customFetch]: fetching })
      const { askForKey } = runCode<Page>(codeUnder(page, 'private_key_jwt', { index: 1 }), {
        modules: { 'openid-client': { ...client, discovery } },
      })
      expect(await askForKey(privateKey)).toMatch(/^eyJ/)
    })
  })
})

describe('docs/guides/mutual-tls.md', () => {
  it('takes the certificate of a client in place of a secret, and binds its key to it', async () => {
    const { key, cert } = localCertificate()
    const authority = makeAuthority()
    const files: Record<string, string> = {
      'server.key': key,
      'server.crt': cert,
      'device-ca.crt': authority.cert,
    }
    // The port of the page may be in use.
    const createServer = (...given: Parameters<typeof https.createServer>) => {
      const server = https.createServer(...given)
      return Object.assign(server, { listen: server.listen.bind(server, 0) })
    }
    const modules = {
      'node:fs': { readFileSync: (name: string) => files[name] },
      'node:https': { createServer },
    }
    const { start } = runCode<{ start: () => https.Server }>(
      codeUnder('docs/guides/mutual-tls.md', 'Switch it on'),
      { modules },
    )
    await served(start(), async (_fetching, origin) => {
      const ask = (shown: ReturnType<typeof makeCertificate>) =>
        fetchTrusting(cert, shown)(`${origin}/oauth/token`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
          body: 'grant_type=client_credentials&scope=provision:token+devices:read&client_id=sensor-7',
        } as never)
      const name = ['dns', 'sensor-7.devices.example.com'] as const
      const own = makeCertificate({ names: [name], issuer: authority })
      const answer = await ask(own)
      expect(answer.status).toBe(200)
      const { access_token, token_type } = (await answer.json()) as Record<string, string>
      const claims = JSON.parse(String(Buffer.from(String(access_token).split('.')[1] ?? '', 'base64url')))
      expect([token_type, claims.cnf]).toEqual(['Bearer', { 'x5t#S256': own.thumbprint }])
      expect((await ask(makeCertificate({ names: [name] }))).status).toBe(401)
    })
  })
})
