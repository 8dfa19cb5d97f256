import type { RequestHandler } from 'express'
import { getAccessToken, memoryStore, type ProvisioningOptions } from '../../../lib/index.js'
import {
  callApi,
  callApiProving,
  mountAccess,
  obtainBoundToken,
  obtainToken,
} from '../../support/access-tokens.js'
import { decodeJwt } from '../../support/forge.js'
import { rawRequest } from '../../support/raw.js'
import { gate, refOf, until } from '../../support/redeeming.js'
import { exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import {
  AUDIENCE,
  CLIENT,
  ISSUER,
  type RunningServer,
  SECRET,
  type ServerPlan,
  startServer,
} from '../../support/server.js'

async function withServer(
  test: (server: RunningServer) => Promise<void>,
  options: Partial<ProvisioningOptions> = {},
  mount: NonNullable<ServerPlan['mount']> = mountAccess,
): Promise<void> {
  const server = await startServer({ options, mount })
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

const introspect = (server: RunningServer, token: string) =>
  postForm(server, '/oauth/introspect', { token }).auth(CLIENT, SECRET).expect(200)

const revoke = (server: RunningServer, token: string) =>
  postForm(server, '/oauth/revoke', { token }).auth(CLIENT, SECRET).expect(200)

describe('a route behind requireAccessToken()', () => {
  test('knows who calls, and nobody hears of the token', () =>
    withServer(
      async (server) => {
        const { key, token } = await obtainToken(server, { key: { requested_subject: 'device:7' } })
        const { body } = await callApi(server, token).expect(200)
        const { payload } = decodeJwt(token)
        const iso = (seconds: unknown) => new Date(Number(seconds) * 1000).toISOString()
        expect(body).toEqual({
          clientId: 'device:7',
          subject: 'device:7',
          scope: ['devices:read'],
          audience: AUDIENCE,
          issuer: ISSUER,
          tokenId: payload.jti,
          keyId: refOf(key).jti,
          issuedAt: iso(payload.iat),
          expiresAt: iso(payload.exp),
          environment: 'staging',
        })
        const names = { keyId: refOf(key).jti, clientId: CLIENT, subject: 'device:7', tokenId: payload.jti }
        expect(server.events.at(-1)).toMatchObject({ type: 'token.verified', severity: 'info', ...names })
        expect(JSON.stringify(server.events)).not.toContain(token)
      },
      { environment: 'staging' },
    ))

  test('finds an identity that it cannot change, and no token in any header', () => {
    const look: RequestHandler = (req, res) => {
      const identity = getAccessToken(req)
      const assign = () => Object.assign(req, { accessToken: { clientId: 'root' } })
      const grow = () => (identity.scope as string[]).push('root')
      const threw = [assign, grow].map((change) => {
        try {
          change()
          return false
        } catch {
          return true
        }
      })
      res.json({ threw, same: getAccessToken(req) === identity, headers: req.headers, raw: req.rawHeaders })
    }
    return withServer(
      async (server) => {
        const { token } = await obtainToken(server)
        const { body, text } = await callApi(server, token, '/look').expect(200)
        expect(body).toMatchObject({ threw: [true, true], same: true })
        expect(body.headers.authorization).toBeUndefined()
        expect(text).not.toContain(token)
      },
      {},
      (app, keys) => {
        app.use(keys.router())
        app.get('/look', keys.requireAccessToken({ anyScope: true, audience: AUDIENCE }), look)
        app.get('/open', (req, res) => void res.json(getAccessToken(req)))
        app.use(keys.errorHandler())
      },
    )
  })

  test('passes two guards in a row, and any number of times', () =>
    withServer(
      async (server) => {
        const { token, holder } = await obtainBoundToken(server)
        const call = () =>
          send(server, 'get', '/config')
            .set('Authorization', `DPoP ${token}`)
            .set('DPoP', holder.prove('GET', `${AUDIENCE}/config`, token))
        for (let i = 0; i < 3; i += 1) await call().expect(200)
      },
      {},
      (app, keys) => {
        app.use(keys.router(), keys.requireAccessToken({ anyScope: true, audience: AUDIENCE }))
        app.get(
          '/config',
          keys.requireAccessToken({ audience: AUDIENCE, scope: 'devices:read' }),
          (_, res) => void res.json({}),
        )
        app.use(keys.errorHandler())
      },
    ))

  test('wants all the scopes it names', () =>
    withServer(
      async (server) => {
        const { token } = await obtainToken(server)
        const { headers } = await callApi(server, token, '/both').expect(403)
        expect(headers['www-authenticate']).toContain('scope="devices:read devices:create"')
        expect(server.events.at(-1)).toMatchObject({
          reason: 'scope_insufficient',
          detail: 'The access token lacks the scope devices:create.',
          tokenId: decodeJwt(token).payload.jti,
        })
      },
      {},
      (app, keys) => {
        app.use(keys.router())
        const scope = ['devices:read', 'devices:create']
        app.get(
          '/both',
          keys.requireAccessToken({ audience: AUDIENCE, scope }),
          (_, res) => void res.json({}),
        )
        app.use(keys.errorHandler())
      },
    ))

  test('refuses a header twice, and a token in a body besides', () =>
    withServer(async (server) => {
      const { token } = await obtainToken(server)
      const twice = ['Authorization', `Bearer ${token}`, 'Authorization', `Bearer ${token}`]
      expect((await rawRequest(server, twice, '/config')).status).toBe(400)
      expect(server.events.at(-1)).toMatchObject({ reason: 'header_repeated' })
      const { body } = await rawRequest(server, ['Authorization', `Bearer ${token}, x`], '/config')
      expect(body.error_description).toBe('The Authorization header is not Bearer <token> or DPoP <token>.')
    }))

  test('is told in its own words by a refusal of a scheme that it knows not', () =>
    withServer(async (server) => {
      const { body } = await send(server, 'get', '/config').auth(CLIENT, SECRET).expect(401)
      expect(body).toEqual({
        error_description: 'Present the access token as Authorization: Bearer <token>, or DPoP <token>.',
      })
    }))
})

describe('an access token that is bound to a DPoP key', () => {
  test('works for its holder, whom the thumbprint of the key names', () =>
    withServer(async (server) => {
      const { token, holder } = await obtainBoundToken(server)
      const { cnf } = decodeJwt(token).payload as { cnf: { jkt: string } }
      const { body } = await callApiProving(server, token, holder).expect(200)
      expect(body.proofKeyThumbprint).toBe(cnf.jkt)
      expect((await introspect(server, token)).body).toMatchObject({ token_type: 'DPoP', cnf })
    }))

  test('is refused with a proof that was used, for another method, for another place, or of yesterday', () =>
    withServer(async (server) => {
      const { token, holder } = await obtainBoundToken(server)
      const jti = 'once'
      await callApiProving(server, token, holder, { jti }).expect(200)
      const wrong = [{ jti }, { htm: 'POST' }, { htu: `${ISSUER}/config` }, { iat: 1_700_000_000 }]
      for (const claims of wrong) await callApiProving(server, token, holder, claims).expect(401)
      const reasons = server.events.flatMap((event) => ('reason' in event ? [event.reason] : []))
      expect(reasons).toEqual(['dpop_replayed', 'dpop_method_wrong', 'dpop_target_wrong', 'dpop_stale'])
    }))

  test('is refused with a proof that names no token (RFC 9449 4.3)', () =>
    withServer(async (server) => {
      const { token, holder } = await obtainBoundToken(server)
      await callApiProving(server, token, holder, { ath: undefined }).expect(401)
      expect(server.events.at(-1)).toMatchObject({ reason: 'dpop_token_hash_wrong' })
    }))

  test('uses a proof that holds, also where the token does not, and no other', () => {
    const used: string[] = []
    const memory = memoryStore()
    const useOnce: typeof memory.useOnce = (id, until, owner) => {
      used.push(id)
      return memory.useOnce(id, until, owner)
    }
    const store = { ...memory, useOnce }
    return withServer(
      async (server) => {
        const { token, holder } = await obtainBoundToken(server)
        const before = used.length
        const proof = holder.prove('GET', `${AUDIENCE}/elsewhere`, token)
        const call = send(server, 'get', '/elsewhere').set('Authorization', `DPoP ${token}`)
        await call.set('DPoP', proof).expect(401)
        expect(used).toHaveLength(before)
        await revoke(server, token)
        await callApiProving(server, token, holder).expect(401)
        expect(used).toHaveLength(before + 1)
      },
      { store },
    )
  })

  test('tells its holder, and nobody else, precisely why it is refused', () =>
    withServer(async (server) => {
      const { token, holder } = await obtainBoundToken(server)
      const bearer = await callApi(server, token, '/elsewhere').expect(401)
      expect(bearer.body.error_description).toBe('The access token is not accepted.')
      const proof = holder.prove('GET', 'https://other.example.com/elsewhere', token)
      const call = send(server, 'get', '/elsewhere').set('Authorization', `DPoP ${token}`)
      const { body } = await call.set('DPoP', proof).expect(401)
      expect(body.error_description).toBe(
        `The access token is for ${AUDIENCE}; expected https://other.example.com/things.`,
      )
    }))
})

describe('an access token ends', () => {
  const ENDS: readonly [
    string,
    (server: RunningServer, key: string, token: string) => PromiseLike<unknown>,
  ][] = [
    ['when its key is exchanged once more', (server, key) => exchangeKey(server, key).expect(400)],
    ['when its key is presented once more', (server, key) => callApi(server, key, '/key').expect(401)],
    ['when everything issued so far is revoked', (server) => server.keys.revokeAllIssuedBefore(new Date())],
    ['when its client revokes it', (server, _, token) => revoke(server, token)],
    [
      'when it travels in clear',
      async (server, _, token) => {
        const port = await server.openHttp()
        const answer = await fetch(`http://127.0.0.1:${port}/config`, {
          headers: { Authorization: `Bearer ${token}` },
        })
        expect([answer.status, await answer.json()]).toEqual([
          403,
          { error: 'invalid_request', error_description: 'HTTPS is required.' },
        ])
        await until(() => server.events.some(({ type }) => type === 'token.exposed'))
        const { jti: tokenId, key_id: keyId } = decodeJwt(token).payload
        const names = { severity: 'high', tokenId, keyId, clientId: CLIENT, revoked: true }
        expect(server.events.at(-1)).toMatchObject({ type: 'token.exposed', ...names })
      },
    ],
  ]

  test.each(ENDS)('%s, immediately and everywhere', (_, end) =>
    withServer(async (server) => {
      const { key, token } = await obtainToken(server)
      await callApi(server, token).expect(200)
      expect((await introspect(server, token)).body.active).toBe(true)
      await end(server, key, token)
      await callApi(server, token).expect(401)
      expect(server.events.at(-1)).toMatchObject({ reason: 'token_revoked', keyId: refOf(key).jti })
      expect((await introspect(server, token)).body).toEqual({ active: false })
    }),
  )

  test('and is active for introspection exactly as long as for a guard, but for the tolerance', async () => {
    const clock = { offset: 0 }
    await withServer(
      async (server) => {
        const { token } = await obtainToken(server)
        const seen: [boolean, number][] = []
        for (const seconds of [598, 601, 606]) {
          clock.offset = seconds * 1000
          const { status } = await callApi(server, token)
          seen.push([(await introspect(server, token)).body.active, status])
        }
        expect(seen).toEqual([
          [true, 200],
          [false, 200],
          [false, 401],
        ])
      },
      { now: () => Date.now() + clock.offset },
    )
  })

  test('long after its key, since their times are not tied', async () => {
    const clock = { offset: 0 }
    await withServer(
      async (server) => {
        const { token } = await obtainToken(server, { key: { requested_expiry: '10' } })
        clock.offset = 300_000
        await callApi(server, token).expect(200)
      },
      { now: () => Date.now() + clock.offset },
    )
  })

  test('with the memory of its store', () =>
    withServer(async (server) => {
      const { token } = await obtainToken(server)
      await withServer(async (other) => {
        await callApi(other, token).expect(401)
        expect(other.events.at(-1)).toMatchObject({ reason: 'token_unknown' })
      })
    }))
})

describe('a race', () => {
  test('of uses with the revocation lets none through that begins after it', () =>
    withServer(async (server) => {
      const { key, token } = await obtainToken(server)
      const early = Array.from({ length: 8 }, () => callApi(server, token).then(({ status }) => status))
      const replay = exchangeKey(server, key).expect(400)
      expect(new Set(await Promise.all(early)).size).toBeLessThanOrEqual(2)
      await replay
      const late = await Promise.all(Array.from({ length: 8 }, () => callApi(server, token)))
      expect(late.map(({ status }) => status)).toEqual(Array(8).fill(401))
    }))

  test('of a replay with the winner leaves the winner with a token that is worth nothing', async () => {
    const memory = memoryStore()
    const [settled, answered] = [gate(), gate()]
    const settle: typeof memory.settle = async (...given) => {
      const outcome = await memory.settle(...given)
      settled.open()
      // The first request has no answer yet when the replay comes.
      await answered.opened
      return outcome
    }
    await withServer(
      async (server) => {
        const key = await obtainKey(server, { scope: 'provision:token devices:read' })
        const winner = exchangeKey(server, key).then((answer) => answer)
        await settled.opened
        await exchangeKey(server, key).expect(400)
        answered.open()
        const { body, status } = await winner
        expect(status).toBe(200)
        expect(server.events).toContainEqual(
          expect.objectContaining({ type: 'key.replayed', familyRevoked: true }),
        )
        await callApi(server, body.access_token).expect(401)
        expect((await introspect(server, body.access_token)).body).toEqual({ active: false })
      },
      { store: { ...memory, settle } },
    )
  })

  test('of exchanges creates one token, which ends if another exchange came after it', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token devices:read' })
      const answers = await Promise.all(Array.from({ length: 10 }, () => exchangeKey(server, key)))
      const won = answers.filter(({ status }) => status === 200)
      expect(won).toHaveLength(1)
      const isReplayed = server.events.some(({ type }) => type === 'key.replayed')
      await callApi(server, won[0]?.body.access_token).expect(isReplayed ? 401 : 200)
    }))
})
