import type { Express } from 'express'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import type { ProvisioningKeys, ProvisioningOptions } from '../../../lib/index.js'
import { fetchTrusting } from '../../support/foreign-fetch.js'
import { decodeJwt } from '../../support/forge.js'
import { EXCHANGE, JWT_TYPE } from '../../support/requests.js'
import { CLIENT, type RunningServer, SECRET, startServer } from '../../support/server.js'

const ALGORITHMS = ['ES256', 'RS256', 'PS256', 'Ed25519'] as const
const NONCES: [name: string, dpop: ProvisioningOptions['dpop']][] = [
  ['without nonces', {}],
  ['with nonces', { nonceSecret: 'n'.repeat(32) }],
]
const EVERY = ALGORITHMS.flatMap((alg) => NONCES.map(([name, dpop]) => [alg, name, dpop] as const))

interface Party {
  readonly server: RunningServer
  /** The fetches of the library: each status, and whether the answer had a nonce. */
  readonly fetched: readonly string[]
  readonly options: { [client.customFetch]: client.CustomFetch }
}

function mountRoutes(app: Express, keys: ProvisioningKeys): void {
  app.use(keys.router())
  app.get('/devices', keys.requireProvisioningKey({ scope: 'devices:read' }), (req, res) => {
    res.json(req.provisioning)
  })
  app.post('/devices', keys.redeemProvisioningKey({ scope: 'devices:create' }), (req, res) => {
    res.status(201).json({ owner: req.provisioning?.subject })
  })
}

/** A server whose origin is its issuer and its only audience. Its client must ask with a proof. */
async function withParty(
  dpop: ProvisioningOptions['dpop'],
  test: (party: Party) => Promise<void>,
): Promise<void> {
  const policy = { senderConstraint: 'dpop', subjects: ['device:*'] } as const
  const server = await startServer({
    optionsAt: (origin) => ({
      issuer: origin,
      audience: origin,
      clients: [{ clientId: CLIENT, clientSecret: SECRET, policy }],
      ...(dpop && { dpop }),
    }),
    mount: mountRoutes,
  })
  const fetched: string[] = []
  const trusting = fetchTrusting(server.cert)
  const noting: client.CustomFetch = async (url, init) => {
    const response = await trusting(url, init)
    const place = new URL(url).pathname
    fetched.push(
      `${init.method} ${place} ${response.status}${response.headers.has('dpop-nonce') ? ' nonce' : ''}`,
    )
    return response
  }
  try {
    await test({ server, fetched, options: { [client.customFetch]: noting } })
  } finally {
    await server.close()
  }
}

const SCOPE = 'provision:token provision:bind provision:register devices:read devices:create'
const JSON_HEADERS = { 'Content-Type': 'application/json' }

describe('openid-client with DPoP', () => {
  async function discovered({ server, options }: Party) {
    const authentication = client.ClientSecretBasic(SECRET)
    const wanted = { algorithm: 'oauth2', ...options } as const
    return client.discovery(new URL(server.origin), CLIENT, undefined, authentication, wanted)
  }

  test.each(EVERY)(
    'by %s, %s: asks, sees, presents, exchanges, redeems, binds and registers',
    (alg, name, dpop) =>
      withParty(dpop, async (party) => {
        const { server, fetched } = party
        const config = await discovered(party)
        expect(config.serverMetadata().dpop_signing_alg_values_supported).toContain(alg)
        const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair(alg))
        const jkt = await DPoP.calculateThumbprint()
        const ask = async (form: Record<string, string> = {}) => {
          const issued = await client.clientCredentialsGrant(config, { scope: SCOPE, ...form }, { DPoP })
          expect(issued.token_type).toBe('dpop')
          expect(decodeJwt(issued.access_token).payload.cnf).toEqual({ jkt })
          return issued.access_token
        }
        const at = (key: string, path: string, method: string, body?: string) => {
          const url = new URL(path, server.origin)
          return client.fetchProtectedResource(config, key, url, method, body, new Headers(JSON_HEADERS), {
            DPoP,
          })
        }

        const key = await ask()
        expect(await client.tokenIntrospection(config, key)).toMatchObject({
          token_type: 'DPoP',
          cnf: { jkt },
        })
        for (const path of ['/devices', '/devices?page=2']) {
          const seen = await at(key, path, 'GET')
          expect([seen.status, await seen.json()]).toEqual([
            200,
            expect.objectContaining({ proofKeyThumbprint: jkt }),
          ])
        }
        const exchanged = await client.genericGrantRequest(
          config,
          EXCHANGE,
          { subject_token: key, subject_token_type: JWT_TYPE, scope: 'devices:read' },
          { DPoP },
        )
        expect(exchanged.token_type).toBe('dpop')
        expect(decodeJwt(exchanged.access_token).payload.cnf).toEqual({ jkt })

        const created = await at(await ask(), '/devices', 'POST')
        expect([created.status, await created.json()]).toEqual([201, { owner: CLIENT }])
        const bound = await at(await ask({ requested_subject: 'device:7' }), '/oauth/bind', 'POST', '{}')
        expect([bound.status, await bound.json()]).toEqual([
          201,
          expect.objectContaining({ client_id: 'device:7', cnf: { jkt } }),
        ])
        const registered = await client.dynamicClientRegistration(
          new URL(server.origin),
          { scope: 'devices:read' },
          undefined,
          { ...party.options, algorithm: 'oauth2', initialAccessToken: await ask(), DPoP },
        )
        expect(registered.clientMetadata().client_id).toEqual(expect.any(String))
        const refusals = fetched.filter((one) => / 4\d\d/.test(one))
        expect(refusals).toEqual(name === 'with nonces' ? ['POST /oauth/token 400 nonce'] : [])
      }),
  )

  test('is told the nonce at a resource by a 401, at the token endpoint by a 400, and goes on by itself', () =>
    withParty(NONCES[1]?.[1], async (party) => {
      const { server, fetched } = party
      const config = await discovered(party)
      const keyPair = await client.randomDPoPKeyPair()
      const atToken = client.getDPoPHandle(config, keyPair)
      const { access_token: key } = await client.clientCredentialsGrant(
        config,
        { scope: SCOPE },
        { DPoP: atToken },
      )
      // Another handle has the same key, but no nonce yet.
      const DPoP = client.getDPoPHandle(config, keyPair)
      const url = new URL('/devices', server.origin)
      const seen = await client.fetchProtectedResource(config, key, url, 'GET', undefined, undefined, {
        DPoP,
      })
      expect(seen.status).toBe(200)
      expect(fetched.filter((one) => one.includes('nonce'))).toEqual([
        'POST /oauth/token 400 nonce',
        'POST /oauth/token 200 nonce',
        'GET /devices 401 nonce',
        'GET /devices 200 nonce',
      ])
    }))

  test('learns of a nonce that is over, and goes on by itself', async () => {
    const clock = { ahead: 0 }
    const now = () => Date.now() + clock.ahead
    const server = await startServer({
      optionsAt: (origin) => ({
        issuer: origin,
        audience: origin,
        now,
        dpop: { nonceSecret: 'n'.repeat(32), nonceLifetimeSeconds: 1, proofAgeSeconds: 300 },
      }),
      mount: mountRoutes,
    })
    try {
      const fetched: string[] = []
      const config = await discovered({
        server,
        fetched,
        options: { [client.customFetch]: fetchTrusting(server.cert) },
      })
      const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair())
      const ask = () => client.clientCredentialsGrant(config, { scope: 'devices:read' }, { DPoP })
      await ask()
      clock.ahead = 5000
      await ask()
      const wanted = server.events.filter((event) => event.type === 'request.refused')
      expect(wanted.map((event) => event.reason)).toEqual(['dpop_nonce_wanted', 'dpop_nonce_wanted'])
    } finally {
      await server.close()
    }
  })

  test('gets no key without DPoP from a client that must use it', () =>
    withParty({}, async (party) => {
      const config = await discovered(party)
      await expect(client.clientCredentialsGrant(config, { scope: SCOPE })).rejects.toMatchObject({
        status: 400,
        error: 'invalid_dpop_proof',
      })
    }))

  test('cannot present the key of another handle', () =>
    withParty({}, async (party) => {
      const config = await discovered(party)
      const handle = async () => client.getDPoPHandle(config, await client.randomDPoPKeyPair())
      const [holder, thief] = [await handle(), await handle()]
      const { access_token: key } = await client.clientCredentialsGrant(
        config,
        { scope: SCOPE },
        { DPoP: holder },
      )
      const url = new URL('/devices', party.server.origin)
      const present = (DPoP: client.DPoPHandle) =>
        client.fetchProtectedResource(config, key, url, 'POST', undefined, undefined, { DPoP })
      await expect(present(thief)).rejects.toMatchObject({
        status: 401,
        cause: [{ scheme: 'dpop', parameters: { error: 'invalid_token' } }, { scheme: 'bearer' }],
      })
      expect((await present(holder)).status).toBe(201)
    }))
})

describe('oauth4webapi with DPoP', () => {
  const self: oauth.Client = { client_id: CLIENT }

  /** The caller of the library must repeat the request with the new nonce. */
  async function again<T>(request: () => Promise<T>): Promise<T> {
    return request().catch((error) => {
      if (!oauth.isDPoPNonceError(error)) throw error
      return request()
    })
  }

  test.each(EVERY)('by %s, %s: asks, presents, exchanges and registers', (alg, name, dpop) =>
    withParty(dpop, async ({ server, fetched, options }) => {
      const issuer = new URL(server.origin)
      const fetching = options as object
      const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...fetching })
      const as = await oauth.processDiscoveryResponse(issuer, found)
      const DPoP = oauth.DPoP(self, await oauth.generateKeyPair(alg))
      const jkt = await DPoP.calculateThumbprint()
      const authentication = oauth.ClientSecretBasic(SECRET)
      const grant = (grantType: string, form: Record<string, string>) =>
        again(async () => {
          const parameters = new URLSearchParams(form)
          const response = await oauth.genericTokenEndpointRequest(
            as,
            self,
            authentication,
            grantType,
            parameters,
            {
              DPoP,
              ...fetching,
            },
          )
          return oauth.processGenericTokenEndpointResponse(as, self, response)
        })
      const ask = async () => (await grant('client_credentials', { scope: SCOPE })).access_token

      const key = await ask()
      expect(decodeJwt(key).payload.cnf).toEqual({ jkt })
      const url = new URL('/devices', issuer)
      const seen = await again(() =>
        oauth.protectedResourceRequest(key, 'GET', url, undefined, undefined, { DPoP, ...fetching }),
      )
      expect(await seen.json()).toMatchObject({ proofKeyThumbprint: jkt })

      const exchanged = await grant(EXCHANGE, { subject_token: key, subject_token_type: JWT_TYPE })
      expect(exchanged.token_type).toBe('dpop')
      await acceptedByForeignApi(as, DPoP, exchanged.access_token, fetching)

      const initialAccessToken = await ask()
      const registered = await again(async () => {
        const metadata = { scope: 'devices:read' }
        const given = { DPoP, initialAccessToken, ...fetching }
        return oauth.processDynamicClientRegistrationResponse(
          await oauth.dynamicClientRegistrationRequest(as, metadata, given),
        )
      })
      expect(registered.client_secret).toEqual(expect.any(String))
      const refusals = fetched.filter((one) => / 4\d\d/.test(one))
      expect(refusals).toEqual(name === 'with nonces' ? ['POST /oauth/token 400 nonce'] : [])
    }),
  )

  /** A foreign API, which verifies the initial access token offline and requires a binding. */
  async function acceptedByForeignApi(
    as: oauth.AuthorizationServer,
    DPoP: oauth.DPoPHandle,
    token: string,
    fetching: object,
  ): Promise<void> {
    const url = new URL('https://api.example.com/things')
    let sent: Request | undefined
    const noting = async (to: string, init: RequestInit) => {
      sent = new Request(to, init)
      return new Response(null, { status: 204 })
    }
    await oauth.protectedResourceRequest(token, 'GET', url, undefined, undefined, {
      DPoP,
      [oauth.customFetch]: noting as never,
    })
    const claims = await oauth.validateJwtAccessToken(as, sent as Request, as.issuer, {
      requireDPoP: true,
      ...fetching,
    })
    expect(claims).toMatchObject({ client_id: CLIENT, iss: as.issuer })
  }
})
