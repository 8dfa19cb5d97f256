import type { RequestHandler } from 'express'
import { memoryStore, type ProvisioningOptions } from '../../../lib/index.js'
import { cpuSecondsOf } from '../../support/cpu-time.js'
import { IS_EXPRESS_4 } from '../../support/redeeming.js'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import {
  AUDIENCE,
  CLIENT,
  mountAll,
  type RunningServer,
  SECRET,
  startServer,
  workingOptions,
} from '../../support/server.js'

async function withServer(
  options: Partial<ProvisioningOptions>,
  test: (server: RunningServer) => Promise<void>,
  handler?: RequestHandler,
): Promise<void> {
  const mount = handler && {
    mount: (app: RunningServer['app'], keys: RunningServer['keys']) => {
      app.use(keys.router())
      app.post('/act', keys.redeemProvisioningKey({ scope: 'devices:create', audience: AUDIENCE }), handler)
      app.use(keys.errorHandler())
    },
  }
  const server = await startServer({ options, ...mount })
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

const bearer = (key: string) => ({ Authorization: `Bearer ${key}` })

async function registerWith(server: RunningServer, form: Record<string, string>, scope: string) {
  const key = await obtainKey(server, form)
  const { body } = await send(server, 'post', '/oauth/register').set(bearer(key)).send({ scope }).expect(201)
  return { id: body.client_id as string, secret: body.client_secret as string }
}

/** A query that such a parser refuses, as the option `strictDepth` of qs does. */
const DEEP = 'a[b][c]=1'

function strictParser(query: string): object {
  if (query.includes(DEEP)) throw new RangeError('The query is too deep.')
  return Object.fromEntries(new URLSearchParams(query))
}

describe('an attack with a token in a query that the query parser of the app refuses', () => {
  test.each([
    ['get', '/devices', 'x=eyJhbGciOiJub25lIn0.e30.abc', 401],
    ['post', '/devices', 'x=eyJhbGciOiJub25lIn0.e30.abc', 401],
    ['post', '/oauth/token', 'x=eyJhbGciOiJub25lIn0.e30.abc', 400],
    ['get', '/devices', 'access_token=abc', 400],
  ] as const)('is answered: %s %s?%s', async (method, path, token, status) => {
    const server = await startServer({
      mount(app, keys) {
        app.set('query parser', strictParser)
        mountAll(app, keys)
      },
    })
    try {
      // Express 4 calls the parser before all middlewares, and answers 500 itself.
      await send(server, method, `${path}?${token}&${DEEP}`).expect(IS_EXPRESS_4 ? 500 : status)
    } finally {
      await server.close()
    }
  })
})

describe('an attack', () => {
  test('with a long run of = in Basic credentials takes no time', () =>
    withServer({}, async (server) => {
      const Authorization = `Basic ${'='.repeat(15_000)}A`
      const attack = async () => {
        for (let i = 0; i < 20; i += 1)
          await postForm(server, '/oauth/introspect', { token: 'x' }).set({ Authorization }).expect(400)
      }
      // Quadratic time would be several seconds. Twenty requests normally take far less than one.
      expect(await cpuSecondsOf(attack)).toBeLessThan(2)
    }))

  test('by registering another self sheds no bound of the one that registers', async () => {
    const policy = { ...workingOptions().policy, subjects: ['device:*'], maxLifetimeSeconds: 3600 }
    const own = {
      scopes: ['provision:register', 'provision:token', 'devices:read', 'devices:create'],
      subjects: ['device:1'],
      networks: ['127.0.0.0/8'],
      accessTokenScopes: ['devices:read'],
      maxLifetimeSeconds: 60,
      lifetimeSeconds: 60,
      outstandingKeys: 2,
    }
    const clients = [{ clientId: CLIENT, clientSecret: SECRET, policy: own }]
    await withServer({ policy, clients }, async (server) => {
      const scope = 'provision:token devices:read devices:create'
      const child = await registerWith(server, { scope: `provision:register ${scope}` }, scope)
      await askForKey(server, { requested_subject: 'device:1' }, child).expect(400, /unauthorized_client/)
      await askForKey(server, { requested_expiry: '61' }, child).expect(400)
      const { body } = await askForKey(server, {}, child).expect(200)
      expect(body.expires_in).toBe(60)
      expect(JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString()).cidr).toEqual([
        '127.0.0.0/8',
      ])
      await exchangeKey(server, body.access_token, { scope: 'devices:create' }).expect(400, /invalid_scope/)
      await askForKey(server, {}, child).expect(200)
      await askForKey(server, {}, child).expect(429)
    })
  })

  test('by a registered device cannot speak for another device', async () => {
    const policy = { ...workingOptions().policy, subjects: ['device:*', 'gateway-1'] }
    await withServer({ policy }, async (server) => {
      const form = { scope: 'provision:register provision:token', requested_subject: 'device:1' }
      const device = await registerWith(server, form, 'provision:token')
      expect(device.id).toBe('device:1')
      await askForKey(server, { requested_subject: 'device:2' }, device).expect(400, /unauthorized_client/)
      await askForKey(server, {}, device).expect(200)
    })
  })

  test.each([
    ...['device:*', 'device:device:*', 'device:7*', 'device: ', 'device:7 ', 'device: 7'],
    ...[
      'device:.',
      'device:..',
      'device:...',
      'device:../x',
      'device:../../admin',
      'device:7/../8',
      'device:a/b',
    ],
    ...[
      'device:eu:7',
      'device:7?x=1',
      'device:7#x',
      'device:%2e%2e',
      'device:7\\8',
      "device:7'--",
      'device:7"',
    ],
  ])('with the subject %j gets no key by the pattern device:*', (requested_subject) =>
    withServer({}, async (server) => {
      await askForKey(server, { requested_subject }).expect(400, /unauthorized_client/)
      expect(server.events.map(({ type }) => type)).toEqual(['request.refused'])
    }),
  )

  test.each([
    ['Range', 'bytes=999999-'],
    ['If-Match', '"another"'],
    ['If-Unmodified-Since', 'Thu, 01 Jan 1970 00:00:01 GMT'],
  ])('with %s makes no handler act twice, though its success becomes a 4xx', (name, value) => {
    let acted = 0
    const acting: RequestHandler = (_req, res) => {
      acted += 1
      res.sendFile(__filename)
    }
    return withServer(
      {},
      async (server) => {
        const key = await obtainKey(server, { scope: 'devices:create' })
        await send(server, 'post', '/act').set(bearer(key)).set(name, value)
        await send(server, 'post', '/act').set(bearer(key)).set(name, value).expect(401)
        expect(acted).toBe(1)
      },
      acting,
    )
  })

  test('with an Accept that nothing fits makes no handler act twice', () => {
    let acted = 0
    const acting: RequestHandler = (_req, res) => {
      acted += 1
      res.format({ json: () => res.json({}) })
    }
    return withServer(
      {},
      async (server) => {
        const key = await obtainKey(server, { scope: 'devices:create' })
        await send(server, 'post', '/act').set(bearer(key)).set('Accept', 'text/x-nope').expect(406)
        await send(server, 'post', '/act').set(bearer(key)).set('Accept', 'text/x-nope').expect(401)
        expect(acted).toBe(1)
      },
      acting,
    )
  })

  test('on a handler that fails within its answer finds no second answer glued to the first', () => {
    const memory = memoryStore()
    const settle: typeof memory.settle = async (...args) => {
      await new Promise((resolve) => setTimeout(resolve, 15))
      return memory.settle(...args)
    }
    const failing: RequestHandler = (_req, res, next) => {
      res.setHeader('Content-Length', 10)
      res.write('{"device":')
      setImmediate(() => next(new Error('too late')))
    }
    return withServer(
      { store: { ...memory, settle } },
      async (server) => {
        const key = await obtainKey(server, { scope: 'devices:create' })
        const answer = await send(server, 'post', '/act')
          .set(bearer(key))
          .then(
            ({ text }) => text,
            () => 'broken off',
          )
        expect(['broken off', '{"device":']).toContain(answer)
      },
      failing,
    )
  })

  test('with a key that expired long ago raises no alarm over cleartext', async () => {
    let now = Date.now()
    await withServer({ now: () => now }, async (server) => {
      const key = await obtainKey(server, { scope: 'devices:read' })
      now += 3600 * 1000
      const { default: supertest } = await import('supertest')
      await supertest(`http://localhost:${await server.openHttp()}`)
        .get('/devices')
        .set(bearer(key))
        .expect(403)
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(server.events.filter(({ type }) => type === 'key.exposed')).toEqual([])
    })
  })

  test('with a key set of a thousand storeys is refused, or kept as plain keys', () =>
    withServer({}, async (server) => {
      const key = await obtainKey(server, { scope: 'provision:register' })
      const deep = `${'['.repeat(3000)}${']'.repeat(3000)}`
      const jwks = `{"jwks":{"keys":[{"kty":"EC","crv":"P-256","x":"a","y":"b","junk":${deep}}]}}`
      await send(server, 'post', '/oauth/register')
        .set(bearer(key))
        .type('json')
        .send(jwks)
        .expect(400, /invalid_client_metadata/)
    }))

  test('by exchange reaches no audience but that of the key', () =>
    withServer({}, async (server) => {
      const key = await obtainKey(server, { scope: 'provision:token devices:read' })
      await exchangeKey(server, key, { resource: 'https://other.example.com/things' }).expect(
        400,
        /invalid_target/,
      )
      await exchangeKey(server, key, { resource: AUDIENCE }).expect(200)
    }))

  test('by a client that has not registered the exchange gets no token', () =>
    withServer({}, async (server) => {
      const key = await obtainKey(server, { scope: 'provision:register provision:token devices:read' })
      const metadata = { scope: 'provision:token devices:read', grant_types: ['client_credentials'] }
      const { body } = await send(server, 'post', '/oauth/register')
        .set(bearer(key))
        .send(metadata)
        .expect(201)
      const issued = await askForKey(server, {}, { id: body.client_id, secret: body.client_secret }).expect(
        200,
      )
      await exchangeKey(server, issued.body.access_token).expect(400, /unauthorized_client/)
    }))
})
