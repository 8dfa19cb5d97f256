import express from 'express'
import type { Test } from 'supertest'
import type { ProvisioningStore } from '../../../lib/index.js'
import {
  callApi,
  callApiProving,
  mountAccess,
  obtainBoundToken,
  obtainToken,
} from '../../support/access-tokens.js'
import { clientKey } from '../../support/client-assertion.js'
import { aClock } from '../../support/clock.js'
import { exactly } from '../../support/exact.js'
import { eventsOf } from '../../support/families.js'
import { forgeKey, signedAs } from '../../support/forge.js'
import { signProof } from '../../support/proof.js'
import { gate, refOf, until, withRedeeming } from '../../support/redeeming.js'
import { manage, registerClient } from '../../support/registering.js'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import {
  CLIENT,
  ISSUER,
  mountAll,
  type RunningServer,
  type ServerPlan,
  startServer,
} from '../../support/server.js'

const SCOPE = { scope: 'provision:token devices:read' }
const LEAKED = '/oauth/leaked'
const FORM = 'application/x-www-form-urlencoded'

async function withServer(
  test: (server: RunningServer) => Promise<void>,
  plan: ServerPlan = {},
): Promise<void> {
  const server = await startServer({ mount: mountAccess, ...plan })
  await test(server).finally(() => server.close())
}

function report(server: RunningServer, token: string): Test {
  return postForm(server, LEAKED, { token })
}

function reportJson(server: RunningServer, body: unknown): Test {
  return send(server, 'post', LEAKED).type('json').send(JSON.stringify(body))
}

/** The events about leaked credentials. */
function leaksIn(server: RunningServer) {
  return server.events.filter(({ type }) => type.endsWith('.leaked'))
}

async function boundKey(server: RunningServer, now = Date.now()) {
  const own = clientKey()
  const proof = () => signProof(own, { method: 'POST', url: `${ISSUER}/oauth/token` }, { now: now / 1000 })
  const { body } = await askForKey(server, SCOPE).set('DPoP', proof()).expect(200)
  return { key: String(body.access_token), proof }
}

describe('a report of a leaked key', () => {
  it.concurrent('revokes a bearer key, and says which key it was and who has reported it', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, SCOPE)
      await report(server, key).set('User-Agent', 'scanner/2').expect(202, '')
      const { jti: keyId } = refOf(key)
      expect(leaksIn(server)).toMatchObject([
        {
          type: 'key.leaked',
          code: 'key.leaked:revoked',
          severity: 'high',
          keyId,
          clientId: CLIENT,
          subject: CLIENT,
          revoked: true,
          address: '127.0.0.1',
          userAgent: 'scanner/2',
        },
      ])
      expect(JSON.stringify(server.events)).not.toContain(key)
      await exchangeKey(server, key).expect(400)
      expect(server.events.at(-1)).toMatchObject({ reason: 'key_revoked' })
    }))

  it.concurrent('revokes a bound key too, because its private key may lie beside it', () =>
    withServer(async (server) => {
      const { key, proof } = await boundKey(server)
      await report(server, key).expect(202)
      expect(leaksIn(server)).toMatchObject([{ type: 'key.leaked', revoked: true }])
      await exchangeKey(server, key).set('DPoP', proof()).expect(400)
      expect(server.events.at(-1)).toMatchObject({ reason: 'key_revoked' })
    }))

  it.concurrent('revokes a key that a request is redeeming, so that this redemption fails', async () => {
    const [started, going] = [gate(), gate()]
    const handler = async (_req: unknown, res: express.Response) => {
      started.open()
      await going.opened
      res.status(201).json({})
    }
    await withRedeeming({ handlers: [handler] }, async (server) => {
      const key = await server.key()
      const redeeming = server.act(key).then(({ status }) => status)
      await started.opened
      await report(server, key).expect(202)
      going.open()
      expect(await redeeming).toBeGreaterThanOrEqual(400)
      expect(await server.stateOf(key)).toBe('revoked')
    })
  })

  it.concurrent('leaves a redeemed key and its access token alone: an old key in a log ends nothing', () =>
    withServer(async (server) => {
      const { key, token } = await obtainToken(server)
      for (let i = 0; i < 3; i += 1) await report(server, key).expect(202)
      await callApi(server, token).expect(200)
      const kept = { type: 'key.leaked', code: 'key.leaked:kept', revoked: false }
      expect(leaksIn(server)).toMatchObject([kept, kept, kept])
      expect(eventsOf(server, 'key.replayed')).toEqual([])
    }))

  it.concurrent('leaves a registration alone if only the redeemed key of it leaked', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'provision:register devices:read' })
      const { body } = await send(server, 'post', '/oauth/register')
        .set('Authorization', `Bearer ${key}`)
        .send({ scope: 'devices:read' })
        .expect(201)
      await report(server, key).expect(202)
      expect(leaksIn(server)).toMatchObject([{ type: 'key.leaked', revoked: false }])
      await manage(server, 'get', body).expect(200)
    }))

  it.concurrent('is a report of one key only: the other keys of its client stay valid', () =>
    withServer(async (server) => {
      const [leaked, other] = [await obtainKey(server, SCOPE), await obtainKey(server, SCOPE)]
      await report(server, leaked).expect(202)
      await exchangeKey(server, other).expect(200)
    }))
})

describe('a report of a leaked token', () => {
  it.concurrent('revokes an access token, bearer or bound', () =>
    withServer(async (server) => {
      const { token } = await obtainToken(server)
      await report(server, token).expect(202)
      await callApi(server, token).expect(401)
      const bound = await obtainBoundToken(server)
      await callApiProving(server, bound.token, bound.holder).expect(200)
      await report(server, bound.token).expect(202)
      await callApiProving(server, bound.token, bound.holder).expect(401)
      const revoked = { type: 'token.leaked', code: 'token.leaked:revoked', clientId: CLIENT, revoked: true }
      expect(leaksIn(server)).toMatchObject([revoked, revoked])
      expect(JSON.stringify(server.events)).not.toContain(token)
    }))

  it.concurrent('revokes a registration access token, but not the client', () =>
    withServer(async (server) => {
      const client = await registerClient(server)
      await report(server, client.registration_access_token).expect(202)
      expect(leaksIn(server)).toMatchObject([
        { type: 'registration.leaked', clientId: client.client_id, tokenRevoked: true },
      ])
      await manage(server, 'get', client).expect(401)
      await askForKey(server, {}, { id: client.client_id, secret: client.client_secret }).expect(200)
    }))
})

/** The bytes of an answer, without its time. */
async function bytesOf(server: RunningServer, token: string): Promise<string> {
  const { status, statusMessage, rawHeaders, text } = await exactly(server, {
    path: LEAKED,
    headers: { 'Content-Type': FORM },
    body: new URLSearchParams({ token }).toString(),
  })
  return JSON.stringify([status, statusMessage, rawHeaders.toSpliced(rawHeaders.indexOf('Date'), 2), text])
}

describe('the answer to a report', () => {
  it.concurrent('is the same to the byte, whatever the token is', async () => {
    const { clock, now } = aClock()
    await withServer(
      async (server) => {
        const expired = await obtainKey(server, SCOPE)
        clock.ahead = 3600
        const { key: redeemed, token } = await obtainToken(server)
        const [key, { key: bound }] = [await obtainKey(server, SCOPE), await boundKey(server, now())]
        const { registration_access_token: management } = await registerClient(server)
        const genuine = [key, key, bound, redeemed, token, token, management, management]
        const forged = [
          forgeKey(key, { sign: signedAs('A'.repeat(86)) }),
          forgeKey(key, { header: { typ: 'JWT' } }),
          forgeKey(key, { header: { kid: 'other' } }),
          forgeKey(key, { claims: { iss: 'https://evil.example.com' } }),
          forgeKey(key, { claims: { jti: undefined } }),
          `${management.slice(0, -3)}AAA`,
          `${Buffer.from('no-such-client').toString('base64url')}.${'A'.repeat(43)}`,
        ]
        const garbage = [
          'x',
          '.',
          '..',
          'a.b.c',
          'eyJ..',
          key.slice(0, -5),
          ' ',
          '\u0000\u{1f511}',
          '.'.repeat(9999),
        ]
        const answers = new Set<string>()
        for (const one of genuine) answers.add(await bytesOf(server, one))
        const others = [...forged, expired, ...garbage].map((one) => bytesOf(server, one))
        for (const answer of await Promise.all(others)) answers.add(answer)
        expect([...answers]).toHaveLength(1)
        expect([...answers][0]).toMatch(/^\[202,"Accepted",.*"no-store".*,""\]$/)
        expect(leaksIn(server).map(({ code }) => code)).toEqual([
          'key.leaked:revoked',
          'key.leaked:kept',
          'key.leaked:revoked',
          'key.leaked:kept',
          'token.leaked:revoked',
          'token.leaked:kept',
          'registration.leaked:revoked',
        ])
      },
      { options: { now } },
    )
  })

  it.concurrent.each<[string, (store: ProvisioningStore) => Partial<ProvisioningStore>]>([
    ['hangs', () => ({ revoke: () => new Promise(() => undefined) })],
    ['fails', () => ({ revoke: () => Promise.reject(new Error('down')) })],
    [
      'throws',
      () => ({
        revoke: () => {
          throw new Error('down')
        },
      }),
    ],
  ])('is the same if the store %s', (_how, verbs) =>
    withRedeeming({ verbs }, async (server) => {
      const garbage = await bytesOf(server, 'garbage')
      expect(await bytesOf(server, await server.key())).toBe(garbage)
      expect(eventsOf(server, 'request.refused')).toEqual([])
    }),
  )

  it.concurrent('says in the event that the store could not revoke', () =>
    withRedeeming({ verbs: () => ({ revoke: () => Promise.reject(new Error('down')) }) }, async (server) => {
      await report(server, await server.key()).expect(202)
      expect(leaksIn(server)).toMatchObject([{ type: 'key.leaked', revoked: false }])
    }))

  it.concurrent('does not show by its time whether a token is genuine', () =>
    withServer(async (server) => {
      const timeOf = async (token: string) => {
        const start = performance.now()
        await report(server, token).expect(202)
        return performance.now() - start
      }
      const times = [await timeOf('garbage'), await timeOf(await obtainKey(server, SCOPE))]
      // Timers of Node can fire a millisecond early.
      for (const time of times) expect(time).toBeGreaterThanOrEqual(248)
    }))
})

describe('the body of a report', () => {
  it.concurrent.each<[string, (key: string) => unknown]>([
    ['a JSON object', (token) => ({ token })],
    [
      'the list of a secret scanner',
      (token) => [{ token, type: 'provisioning_key', url: 'https://example.com/x', source: 'content' }],
    ],
    [
      'a list in which other texts come first',
      (token) => [{ token: 'AKIAIOSFODNN7EXAMPLE' }, { token: 'a.b.c' }, { token }],
    ],
    ['a sentence that ends with the key', (token) => ({ token: `I found ${token}.` })],
    ['text around the key', (token) => ({ token: `  Authorization: Bearer ${token}"\r\n` })],
  ])('can be %s', (_title, bodyWith) =>
    withServer(async (server) => {
      const key = await obtainKey(server, SCOPE)
      await reportJson(server, bodyWith(key)).expect(202, '')
      expect(leaksIn(server)).toMatchObject([{ type: 'key.leaked', keyId: refOf(key).jti, revoked: true }])
    }),
  )

  it.concurrent.each(['json', 'form'])('can be %s that the app has parsed', (kind) =>
    withServer(
      async (server) => {
        const keys = [await obtainKey(server, SCOPE), await obtainKey(server, SCOPE)]
        const reported =
          kind === 'json'
            ? reportJson(
                server,
                keys.map((token) => ({ token })),
              )
            : report(server, keys.join(' '))
        await reported.expect(202)
        expect(leaksIn(server)).toMatchObject([{ revoked: true }, { revoked: true }])
      },
      {
        mount(app, keys) {
          app.use(express.json(), express.urlencoded({ extended: true }))
          mountAccess(app, keys)
        },
      },
    ),
  )

  it.concurrent('can name twenty tokens, and each token counts once', () =>
    withServer(async (server) => {
      const keys = await Promise.all(
        Array.from({ length: 20 }, () => obtainKey(server, { scope: 'devices:read' })),
      )
      await reportJson(
        server,
        keys.map((token) => ({ token })),
      ).expect(202)
      await until(() => leaksIn(server).length === 20)
      expect(new Set(leaksIn(server).map(({ code }) => code))).toEqual(new Set(['key.leaked:revoked']))
      await reportJson(server, Array(20).fill({ token: keys[0] })).expect(202)
      expect(leaksIn(server)).toHaveLength(21)
    }))

  const jwt = (i: number) => `eyJ${i}.b.c`
  it.concurrent.each<[string, number, string, (server: RunningServer) => Test]>([
    ['an empty form', 400, 'parameter_missing', (server) => postForm(server, LEAKED, {})],
    ['a form with an empty token', 400, 'parameter_missing', (server) => report(server, '')],
    [
      'a form with two tokens',
      400,
      'parameter_repeated',
      (server) => send(server, 'post', LEAKED).type('form').send('token=a&token=b'),
    ],
    [
      'broken percent-encoding',
      400,
      'parameter_malformed',
      (server) => send(server, 'post', LEAKED).type('form').send('token=%zz'),
    ],
    ['no body', 400, 'parameter_missing', (server) => send(server, 'post', LEAKED)],
    ['an empty list', 400, 'parameter_missing', (server) => reportJson(server, [])],
    ['an object without token', 400, 'parameter_missing', (server) => reportJson(server, { tokens: ['x'] })],
    ['a list of texts', 400, 'body_malformed', (server) => reportJson(server, ['x'])],
    ['a list of lists', 400, 'body_malformed', (server) => reportJson(server, [[{ token: 'x' }]])],
    ['a number', 400, 'body_malformed', (server) => reportJson(server, 7)],
    ['null', 400, 'body_malformed', (server) => reportJson(server, null)],
    [
      'a token that is an object',
      400,
      'parameter_malformed',
      (server) => reportJson(server, { token: { a: 1 } }),
    ],
    [
      'a token that is null',
      400,
      'parameter_malformed',
      (server) => reportJson(server, [{ token: 'x' }, { token: null }]),
    ],
    [
      'a member twice',
      400,
      'parameter_repeated',
      (server) => send(server, 'post', LEAKED).type('json').send('[{"token":"a","token":"b"}]'),
    ],
    [
      'JSON that is cut off',
      400,
      'body_malformed',
      (server) => send(server, 'post', LEAKED).type('json').send('[{"token":"a"'),
    ],
    [
      '21 objects',
      400,
      'parameter_malformed',
      (server) => reportJson(server, Array(21).fill({ token: 'x' })),
    ],
    [
      '21 tokens in one text',
      400,
      'parameter_malformed',
      (server) => report(server, Array.from({ length: 21 }, (_, i) => jwt(i)).join(' ')),
    ],
    ['40 KiB', 413, 'body_too_large', (server) => report(server, 'x'.repeat(40 * 1024))],
    [
      'deep brackets',
      400,
      'body_malformed',
      (server) =>
        send(server, 'post', LEAKED)
          .type('json')
          .send('['.repeat(15_000) + ']'.repeat(15_000)),
    ],
    [
      'plain text',
      415,
      'media_type_unsupported',
      (server) => send(server, 'post', LEAKED).type('text').send('x'),
    ],
    [
      'JSON in UTF-16',
      415,
      'media_type_unsupported',
      (server) =>
        send(server, 'post', LEAKED)
          .set('Content-Type', 'application/json; charset=utf-16')
          .send('{"token":"x"}'),
    ],
    ['a token in the query', 400, 'token_in_query', (server) => send(server, 'post', `${LEAKED}?token=x`)],
  ])('must not be wrong: %s', (_title, status, reason, act) =>
    withServer(async (server) => {
      await act(server).expect(status)
      expect(server.events.at(-1)).toMatchObject({
        type: 'request.refused',
        endpoint: 'leaked',
        reason,
        status,
      })
    }),
  )

  it.concurrent('is refused as a whole, so that nobody takes half a report for a whole one', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, SCOPE)
      await reportJson(server, [{ token: key }, { token: 1 }]).expect(400)
      expect(leaksIn(server)).toEqual([])
      expect(JSON.stringify(server.events)).not.toContain(key)
      await exchangeKey(server, key).expect(200)
    }))
})

describe('reports from strangers', () => {
  it.concurrent('revoke no key if only its id or a changed copy is known', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, SCOPE)
      const [header = '', payload = '', signature = ''] = key.split('.')
      const flip = signature.startsWith('A') ? 'B' : 'A'
      const copies = [
        refOf(key).jti,
        `${header}.${payload}`,
        `${header}.${payload}.`,
        `${header}.${payload}.${flip}${signature.slice(1)}`,
        forgeKey(key, { header: { alg: 'none' }, sign: signedAs('') }),
        forgeKey(key, { header: { alg: 'HS256' }, sign: signedAs(signature) }),
        forgeKey(key, { claims: { exp: 9_999_999_999 }, sign: signedAs(signature) }),
      ]
      await Promise.all(copies.map((copy) => report(server, copy).expect(202)))
      expect(leaksIn(server)).toEqual([])
      await exchangeKey(server, key).expect(200)
    }))

  it.concurrent('cause no event and no change if the key has expired', async () => {
    const { clock, now } = aClock()
    await withServer(
      async (server) => {
        const { key, token } = await obtainToken(server)
        clock.ahead = 7200
        await report(server, key).expect(202)
        await report(server, token).expect(202)
        expect(leaksIn(server)).toEqual([])
      },
      { options: { now } },
    )
  })

  it.concurrent('are limited to ten a minute from each address, without limiting other endpoints', () =>
    withServer(
      async (server) => {
        const key = await obtainKey(server, SCOPE)
        const reports = Array.from({ length: 10 }, () => report(server, 'garbage').expect(202))
        await Promise.all(reports)
        const { headers } = await report(server, key).expect(429, {
          error: 'slow_down',
          error_description: 'Too many requests; try again later.',
        })
        expect(Number(headers['retry-after'])).toBeGreaterThan(0)
        expect(leaksIn(server)).toEqual([])
        await exchangeKey(server, key).expect(200)
      },
      { options: { rateLimit: {} } },
    ))

  it.concurrent('need HTTPS: over plain HTTP a bearer key is revoked as exposed, and a bound one is kept', () =>
    withServer(async (server) => {
      const cleartextPort = await server.openHttp()
      const inClear = (token: string) =>
        exactly(server, {
          path: LEAKED,
          headers: { 'Content-Type': FORM },
          body: new URLSearchParams({ token }).toString(),
          cleartextPort,
        })
      const { key: bound, proof } = await boundKey(server)
      for (const key of [await obtainKey(server, SCOPE), bound])
        expect(await inClear(key)).toMatchObject({ status: 403 })
      await until(() => eventsOf(server, 'key.exposed').length === 2)
      expect(eventsOf(server, 'key.exposed')).toMatchObject([{ revoked: true }, { revoked: false }])
      expect(leaksIn(server)).toEqual([])
      await exchangeKey(server, bound).set('DPoP', proof()).expect(200)
    }))

  it.concurrent('may be POST only', () =>
    withServer(async (server) => {
      for (const method of ['get', 'put', 'delete'] as const) {
        const { headers } = await send(server, method, LEAKED).expect(405)
        expect(headers.allow).toBe('POST')
      }
    }))
})

describe('the router of the reports', () => {
  it.concurrent('can be mounted alone, or left out', () =>
    withServer(
      async (server) => {
        const key = await obtainKey(server, SCOPE)
        await report(server, key).expect(202)
        expect(leaksIn(server)).toHaveLength(1)
        await postForm(server, '/oauth/revoke', { token: key }).expect(404)
      },
      { mount: (app, keys) => void app.use(keys.issuance(), keys.leakReports()) },
    ))

  it.concurrent('is not part of the metadata, for which there is no registered name', () =>
    withServer(
      async (server) => {
        const { text } = await send(server, 'get', '/.well-known/oauth-authorization-server').expect(200)
        expect(text).not.toContain('leaked')
      },
      { mount: mountAll },
    ))
})
