import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import express from 'express'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import {
  ConfigurationError,
  generateSigningKeys,
  provisioningKeys,
  provisioningKeyVerifier,
} from '../../../lib/index.js'
import { clientKey } from '../../support/client-assertion.js'
import { decodeJwt } from '../../support/forge.js'
import { type LocalServer, startLocalServer } from '../../support/local-server.js'
import { signProof } from '../../support/proof.js'
import { EXCHANGE, JWT_TYPE } from '../../support/requests.js'
import { CLIENT, closeServer, SECRET } from '../../support/server.js'

const run = promisify(execFile)

const SCOPE = 'provision:token devices:read devices:create'
const FORM = new URLSearchParams({ grant_type: 'client_credentials', scope: SCOPE }).toString()

async function withLocal(
  test: (server: LocalServer) => Promise<void>,
  ...given: Parameters<typeof startLocalServer>
): Promise<void> {
  const server = await startLocalServer(...given)
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: { readonly [member: string]: string }
}

/** Asks for a key over a new connection to a host and port, or to a Unix socket. */
async function ask(
  where: { readonly host?: string; readonly port?: number; readonly socketPath?: string },
  headers: Readonly<Record<string, string>> = {},
  path = '/oauth/token',
): Promise<Answer> {
  const basic = Buffer.from(`${CLIENT}:${SECRET}`).toString('base64')
  const form = { 'Content-Type': 'application/x-www-form-urlencoded', Authorization: `Basic ${basic}` }
  const asking = request({ ...where, path, method: 'POST', agent: false, headers: { ...form, ...headers } })
  asking.end(FORM)
  const [response] = await once(asking, 'response')
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return { status: response.statusCode, headers: response.headers, body: JSON.parse(text) }
}

async function obtainKey({ port }: LocalServer): Promise<string> {
  const { status, body } = await ask({ host: '127.0.0.1', port })
  if (status !== 200) throw new Error(JSON.stringify(body))
  return body.access_token ?? ''
}

describe('a local deployment, over plain HTTP', () => {
  it('serves curl from the secret to the redeemed key', () =>
    withLocal(async ({ origin }) => {
      const curl = async (...given: string[]) => JSON.parse((await run('curl', ['-sS', ...given])).stdout)
      const { access_token: key } = await curl(
        '-u',
        `${CLIENT}:${SECRET}`,
        '-d',
        FORM,
        `${origin}/oauth/token`,
      )
      const bearer = ['-H', `Authorization: Bearer ${key}`]
      expect(await curl('-X', 'POST', ...bearer, `${origin}/devices`)).toEqual({ device: CLIENT })
      expect(await curl('-X', 'POST', ...bearer, `${origin}/devices`)).toMatchObject({
        error: 'invalid_token',
      })
    }))

  it('serves openid-client from discovery to the access token', () =>
    withLocal(async ({ origin }) => {
      const config = await client.discovery(
        new URL(origin),
        CLIENT,
        undefined,
        client.ClientSecretBasic(SECRET),
        {
          algorithm: 'oauth2',
          execute: [client.allowInsecureRequests],
        },
      )
      const { access_token: key } = await client.clientCredentialsGrant(config, { scope: SCOPE })
      const exchange = { subject_token: key, subject_token_type: JWT_TYPE }
      const token = await client.genericGrantRequest(config, EXCHANGE, exchange)
      const answer = await client.fetchProtectedResource(
        config,
        token.access_token,
        new URL(`${origin}/devices`),
        'GET',
      )
      expect(await answer.json()).toEqual({ client: CLIENT })
    }))

  it('serves oauth4webapi with a DPoP proof', () =>
    withLocal(async ({ origin }) => {
      const insecure = { [oauth.allowInsecureRequests]: true }
      const issuer = new URL(origin)
      const discovered = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
      const server = await oauth.processDiscoveryResponse(issuer, discovered)
      const me = { client_id: CLIENT }
      const DPoP = oauth.DPoP({}, await oauth.generateKeyPair('ES256'))
      const authentication = oauth.ClientSecretBasic(SECRET)
      const parameters = new URLSearchParams({ scope: SCOPE })
      const options = { DPoP, ...insecure }
      const response = await oauth.clientCredentialsGrantRequest(
        server,
        me,
        authentication,
        parameters,
        options,
      )
      const { access_token: key, token_type: type } = await oauth.processClientCredentialsResponse(
        server,
        me,
        response,
      )
      expect(type).toBe('dpop')
      const url = new URL(`${origin}/devices`)
      const redeemed = await oauth.protectedResourceRequest(key, 'POST', url, undefined, undefined, options)
      expect([redeemed.status, await redeemed.json()]).toEqual([201, { device: CLIENT }])
    }))

  it('marks its keys with the environment "local", so that they are valid nowhere else', () =>
    withLocal(async (server) => {
      const key = await obtainKey(server)
      expect(decodeJwt(key).payload).toMatchObject({ env: 'local', iss: server.origin })
    }))

  it('serves an API in another process that asks it for the state of keys', () =>
    withLocal(async (server) => {
      const verifier = provisioningKeyVerifier({
        issuer: server.origin,
        audience: server.origin,
        jwks: `${server.origin}/oauth/jwks`,
        introspection: { clientId: CLIENT, clientSecret: SECRET },
      })
      const app = express()
      app.get(
        '/',
        verifier.requireProvisioningKey({ scope: 'devices:read' }),
        (_req, res) => void res.json({}),
      )
      const http = createServer(app)
      await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
      try {
        const { port } = http.address() as AddressInfo
        const headers = { Authorization: `Bearer ${await obtainKey(server)}` }
        expect((await fetch(`http://127.0.0.1:${port}`, { headers })).status).toBe(200)
      } finally {
        await closeServer(http)
      }
    }))

  it('warns once at start, on the console and in an event', () =>
    withLocal(async ({ events, origin }) => {
      const advice = expect.stringMatching(new RegExp(`^The local deployment ${origin} accepts plain HTTP`))
      expect(events).toEqual([expect.objectContaining({ type: 'configuration.advised', advice })])
    }))
})

describe('a local deployment refuses, as every other one does,', () => {
  const REFUSED = { status: 403, body: { error: 'invalid_request' } }

  it.each([
    ['Forwarded', 'for=192.0.2.1;proto=https'],
    ['X-Forwarded-For', '192.0.2.1'],
    ['X-Forwarded-Proto', 'http'],
    ['X-Forwarded-Host', 'localhost'],
    ['X-Forwarded-Anything', ''],
  ])('a request with the header %s, which a proxy writes', (name, value) =>
    withLocal(async ({ port, app }) => {
      for (const trusted of [false, 'loopback']) {
        app.set('trust proxy', trusted)
        expect(await ask({ host: '127.0.0.1', port }, { [name]: value })).toMatchObject(REFUSED)
      }
    }),
  )

  it('a request that a proxy on this machine forwards for another one', () =>
    withLocal(async ({ port }) => {
      const proxy = createServer((req, res) => {
        const headers = { ...req.headers, 'x-forwarded-for': '192.0.2.7' }
        const { method = '', url: path = '' } = req
        req.pipe(
          request({ host: '127.0.0.1', port, path, method, headers }, (answer) => {
            res.writeHead(answer.statusCode ?? 0, answer.headers)
            answer.pipe(res)
          }),
        )
      })
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
      try {
        const { port: atProxy } = proxy.address() as AddressInfo
        expect(await ask({ host: '127.0.0.1', port: atProxy })).toMatchObject(REFUSED)
      } finally {
        await closeServer(proxy)
      }
    }))

  it('a request from an address that is not of the loopback network', () =>
    withLocal(
      async ({ port }) => {
        const own = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
        const outside = own.find(({ internal, family }) => !internal && family === 'IPv4')
        if (outside === undefined)
          throw new Error('This test needs a network interface besides lo: ip link add ...')
        // A connection to an address of this machine stays local, but its peer has this address, not 127.0.0.1.
        expect(await ask({ host: outside.address, port })).toMatchObject(REFUSED)
        expect(await ask({ host: '127.0.0.1', port })).toMatchObject({ status: 200 })
      },
      {},
      '0.0.0.0',
    ))

  it('a request over a Unix socket, whose peer has no address', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'local-'))
    const server = await startLocalServer()
    const socketPath = join(folder, 'app.sock')
    const proxied = createServer(server.app)
    await new Promise<void>((resolve) => proxied.listen(socketPath, resolve))
    try {
      expect(await ask({ socketPath })).toMatchObject(REFUSED)
    } finally {
      await closeServer(proxied)
      await server.close()
      rmSync(folder, { recursive: true })
    }
  })

  it('a request over plain HTTP, if the issuer is an https URL', () =>
    withLocal(
      async ({ port }) => {
        expect(await ask({ host: '127.0.0.1', port })).toMatchObject(REFUSED)
      },
      { issuer: 'https://localhost' },
    ))
})

describe('a refusal of a local deployment', () => {
  it('tells every caller the precise reason and what to do', () =>
    withLocal(async (server) => {
      const { port, origin, keys } = server
      const wrong = Buffer.from(`${CLIENT}:wrong`).toString('base64')
      const refused = await ask({ host: '127.0.0.1', port }, { Authorization: `Basic ${wrong}` })
      expect(refused.body).toEqual({
        error: 'invalid_client',
        error_description:
          'The client secret is wrong or has expired (client_secret_basic). Check the secret. In a Basic header, client_id and secret are form-encoded.',
      })
      const key = await obtainKey(server)
      await keys.revokeKey({ clientId: CLIENT, keyId: decodeJwt(key).payload.jti as string })
      const answer = await fetch(`${origin}/devices`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${key}` },
      })
      expect(await answer.json()).toEqual({
        error: 'invalid_token',
        error_description: 'The key has been revoked. Get a new key.',
      })
    }))

  it('tells a caller with a key that the route needs an access token, and how to get one', () =>
    withLocal(async (server) => {
      const headers = { Authorization: `Bearer ${await obtainKey(server)}` }
      const answer = await fetch(`${server.origin}/devices`, { headers })
      expect(await answer.json()).toEqual({
        error: 'invalid_token',
        error_description:
          'The access token must have the typ at+jwt. Send the kind of token that the route needs. To get an access token, exchange a provisioning key.',
      })
    }))

  it.each([
    [
      'a request without a key',
      ['-X', 'POST'],
      '/devices',
      'Present the provisioning key as Authorization: Bearer <key>, or DPoP <key>. Check that no proxy and no redirect removes the header.',
    ],
    [
      'a body of another type',
      ['-H', 'Content-Type: text/plain', '-d', 'x'],
      '/oauth/token',
      'Send the body as application/x-www-form-urlencoded in UTF-8. Check the headers Content-Type and Content-Encoding.',
    ],
    [
      'another method',
      ['-X', 'PUT'],
      '/oauth/token',
      'The method must be POST. Check the method and the path of the request.',
    ],
    [
      'a client id whose colon is not encoded',
      ['-u', `device:7:${SECRET}`, '-d', FORM],
      '/oauth/token',
      'No client has this id (client_secret_basic). Check client_id; in a Basic header, write %3A for each colon in it. The client may have been deleted, by a replay too, or lost at a restart.',
    ],
    [
      'a request without a scope',
      ['-u', `${CLIENT}:${SECRET}`, '-d', 'grant_type=client_credentials'],
      '/oauth/token',
      'scope is missing, and the client has no default scope: send a scope. To give the client a default, set policy.defaultScopes.',
    ],
    [
      'a fault of the app',
      ['-u', `${CLIENT}:${SECRET}`, '-d', FORM],
      '/oauth/token',
      'The registry or lookup function returned an invalid client: client.clientId: expected the requested id, got another. Correct the app. The event request.refused has the same text in its detail.',
    ],
  ])('says once what is wrong with %s, and once what to do', (what, given, path, description) =>
    withLocal(
      async ({ origin }) => {
        const { stdout } = await run('curl', ['-sS', ...given, `${origin}${path}`])
        expect(JSON.parse(stdout).error_description).toBe(description)
      },
      what === 'a fault of the app' ? { clients: () => ({ clientId: 'other', clientSecret: SECRET }) } : {},
    ),
  )

  it.each([
    [
      'revoke',
      'This replay removed what the key had registered or bound',
      'What the key had registered or bound is gone',
    ],
    [
      'flag',
      'This replay marked what the key had registered or bound',
      'This replay marked what the key had registered or bound',
    ],
  ] as const)('says what a replay has done (%s)', (onReplay, ...sentences) => {
    const scopes = ['provision:bind', 'devices:create', 'devices:read']
    const policy = { scopes, defaultScopes: ['provision:bind'], subjects: ['device:*'], onReplay }
    return withLocal(
      async ({ origin }) => {
        const asked = await fetch(`${origin}/oauth/token`, {
          method: 'POST',
          headers: { Authorization: `Basic ${btoa(`${CLIENT}:${SECRET}`)}` },
          body: new URLSearchParams({ grant_type: 'client_credentials', requested_subject: 'device:7' }),
        })
        const { access_token: key = '' } = (await asked.json()) as Answer['body']
        const url = `${origin}/oauth/bind`
        const headers = { Authorization: `Bearer ${key}` }
        const proof = signProof(clientKey(), { method: 'POST', url }, { token: key })
        const bound = await fetch(url, { method: 'POST', headers: { ...headers, DPoP: proof } })
        expect(bound.status).toBe(201)
        const said: string[] = []
        for (let round = 0; round < 2; round += 1) {
          const answer = await fetch(url, { method: 'POST', headers })
          said.push(String(((await answer.json()) as Answer['body'])['error_description']))
        }
        const redeemed = 'The key has been redeemed; a key is good for one redemption.'
        expect(said).toEqual(sentences.map((sentence) => `${redeemed} ${sentence}: device:7. Get a new key.`))
      },
      { clients: [{ clientId: CLIENT, clientSecret: SECRET, policy }] },
    )
  })

  it('says that a replay has revoked access tokens', () =>
    withLocal(async (server) => {
      const key = await obtainKey(server)
      const form = { grant_type: EXCHANGE, subject_token: key, subject_token_type: JWT_TYPE }
      const exchange = () =>
        fetch(`${server.origin}/oauth/token`, { method: 'POST', body: new URLSearchParams(form) })
      expect((await exchange()).status).toBe(200)
      const refused = (await (await exchange()).json()) as Answer['body']
      expect(refused['error_description']).toBe(
        'The key has been redeemed; a key is good for one redemption. Any access token of the key is revoked. Get a new key.',
      )
    }))

  it('says that a replay leaves the work of a route to the app', () =>
    withLocal(async ({ origin }) => {
      const basic = Buffer.from(`${CLIENT}:${SECRET}`).toString('base64')
      const asked = await fetch(`${origin}/oauth/token`, {
        method: 'POST',
        headers: { Authorization: `Basic ${basic}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'devices:create' }),
      })
      const { access_token: key } = (await asked.json()) as Answer['body']
      const use = () =>
        fetch(`${origin}/devices`, { method: 'POST', headers: { Authorization: `Bearer ${key}` } })
      expect((await use()).status).toBe(201)
      const refused = (await (await use()).json()) as Answer['body']
      expect(refused['error_description']).toBe(
        'The key has been redeemed; a key is good for one redemption. The server cannot undo what your route did with the key: undo this when you get the event key.replayed. Get a new key.',
      )
    }))

  it('links to the section of its reason, if the deployment has a page', () =>
    withLocal(
      async ({ origin }) => {
        const headers = { Authorization: 'Bearer not-a-key' }
        const answer = await fetch(`${origin}/devices`, { method: 'POST', headers })
        const uri = 'https://docs.example.com/refusals#key_malformed'
        expect(await answer.json()).toMatchObject({ error_uri: uri })
        expect(answer.headers.get('www-authenticate')).toContain(`error_uri="${uri}"`)
      },
      { docs: { url: 'https://docs.example.com/refusals' } },
    ))
})

describe('an issuer with http', () => {
  const made = (issuer: string) => () =>
    provisioningKeys({
      issuer,
      audience: 'https://api.example.com',
      signingKeys: generateSigningKeys('ES256'),
      clients: [],
    })

  it.each(['http://localhost', 'http://localhost:3000', 'http://127.0.0.1:3000', 'http://[::1]:3000'])(
    'is accepted on this machine: %s',
    (issuer) => {
      expect(made(issuer)).not.toThrow()
    },
  )

  it.each([
    'http://localhost.evil.example',
    'http://127.0.0.1.nip.io',
    'http://localhost@evil.example',
    'http://127.0.0.2:3000',
    'http://0.0.0.0:3000',
    'http://[::ffff:127.0.0.1]:3000',
    'http://LOCALHOST:3000',
    'http://localhost:80',
    'http://localhost:3000/tenant',
    'http://localhost:3000?a',
  ])('is refused anywhere else: %s', (issuer) => {
    expect(made(issuer)).toThrow(/issuer: expected an https URL .*or http:\/\/localhost:PORT/)
  })

  it('is refused in production', () => {
    const before = process.env['NODE_ENV']
    process.env['NODE_ENV'] = 'production'
    try {
      expect(made('http://localhost:3000')).toThrow(
        new ConfigurationError([
          'issuer: expected an https URL without query, fragment or credentials (RFC 8414 2), got an http issuer ' +
            'while NODE_ENV is production',
        ]),
      )
    } finally {
      process.env['NODE_ENV'] = before
    }
  })
})
