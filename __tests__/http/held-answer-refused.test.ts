import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { RequestHandler } from 'express'
import type { ProvisioningStore } from '../../lib/index.js'
import { gate, keyRefOf, type RedeemingServer, until, withRedeeming } from '../support/redeeming.js'
import { CLIENT } from '../support/server.js'

const LEAK = 'what-the-handler-made'

/** Ways to answer with a text that must not leave the server, and whether the handler may continue afterwards. */
const WAYS: readonly (readonly [title: string, handler: RequestHandler, goesOn: boolean])[] = [
  [
    'answers with JSON, a header and a cookie',
    (_req, res) => {
      res.cookie('session', LEAK).set('X-Made', LEAK).set('Cache-Control', LEAK)
      res.status(201).location(`/devices/${LEAK}`).json({ made: LEAK })
    },
    false,
  ],
  [
    'calls writeHead with a reason phrase',
    (_req, res) => {
      res.writeHead(201, LEAK, { 'X-Made': LEAK, 'Content-Type': 'text/plain' })
      res.end(LEAK)
    },
    false,
  ],
  [
    'sets the reason phrase',
    (_req, res) => {
      res.statusMessage = LEAK
      res.status(201).send(LEAK)
    },
    false,
  ],
  [
    'adds trailers',
    (_req, res) => {
      res.setHeader('Trailer', 'X-Made')
      res.write(LEAK)
      res.addTrailers({ 'X-Made': LEAK })
      res.end()
    },
    false,
  ],
  [
    'writes in pieces and goes on later',
    (_req, res) => {
      res.write(LEAK)
      const timer = setInterval(() => res.write(LEAK), 1)
      setTimeout(() => {
        clearInterval(timer)
        res.end(LEAK)
      }, 80)
    },
    true,
  ],
  [
    'goes on writing whenever the event loop turns',
    (_req, res) => {
      let turns = 0
      const turn = () => {
        turns += 1
        if (turns > 2000) return void res.end(LEAK)
        res.write(LEAK)
        setImmediate(turn)
      }
      turn()
    },
    true,
  ],
  ['pipes', (_req, res) => void Readable.from(Array.from({ length: 500 }, () => LEAK)).pipe(res), true],
  [
    'flushes the headers first',
    (_req, res) => {
      res.setHeader('X-Made', LEAK)
      res.flushHeaders()
      setTimeout(() => res.end(LEAK), 20)
    },
    true,
  ],
  ['redirects', (_req, res) => res.redirect(`https://client.example.com/${LEAK}`), false],
]

/** A store that loses the reservation, as the test wants, while the handler answers. */
const losing = (settle: ProvisioningStore['settle']) => () => ({ settle })

describe('an answer whose key cannot be settled', () => {
  describe.each([
    [
      'a store that throws',
      losing(() => Promise.reject(new Error('connection lost'))),
      503,
      'temporarily_unavailable',
    ],
    [
      'a far store that throws',
      losing(() => pause(15).then(() => Promise.reject(new Error('gone')))),
      503,
      'temporarily_unavailable',
    ],
    ['a key that was revoked', losing(() => Promise.resolve('revoked')), 401, 'invalid_token'],
    ['a claim that was lost', losing(() => Promise.resolve('lost')), 401, 'invalid_token'],
    ['a key that has expired', losing(() => Promise.resolve('unknown')), 401, 'invalid_token'],
  ] as const)('for %s', (_cause, verbs, status, error) => {
    test.each(WAYS)('is replaced whole by the refusal when the handler %s', (_title, handler, goesOn) =>
      withRedeeming({ handlers: [handler], verbs }, async (server) => {
        const answer = await server.actExactly(await server.key())
        expect({ status: answer.status, body: JSON.parse(answer.text) }).toEqual({
          status,
          body: { error, error_description: expect.any(String) },
        })
        expect(JSON.stringify([answer.statusMessage, answer.rawHeaders, answer.text])).not.toContain(LEAK)
        expect(answer.headers).toMatchObject({
          'cache-control': 'no-store',
          'content-type': 'application/json',
          'strict-transport-security': expect.any(String),
        })
        if (goesOn) await pause(100)
        expect(await server.act(await server.key())).toMatchObject({ status })
      }),
    )
  })

  test('keeps the headers that were set before the guard', () =>
    withRedeeming(
      {
        before: [
          (_req, res, next) => {
            res.set({ 'X-Request-Id': '42', 'X-Made': 'before' }).cookie('locale', 'en')
            next()
          },
        ],
        handlers: [
          (_req, res) => {
            res.removeHeader('X-Request-Id')
            res.set('X-Made', LEAK).cookie('session', LEAK).json({})
          },
        ],
        verbs: losing(() => Promise.resolve('revoked')),
      },
      async (server) => {
        const { headers } = await server.actExactly(await server.key())
        expect(headers).toMatchObject({
          'x-request-id': '42',
          'x-made': 'before',
          'set-cookie': ['locale=en; Path=/'],
        })
      },
    ))

  test('lets no handler wait forever for its writes', async () => {
    const told: string[] = []
    const waiting: RequestHandler = (_req, res) => {
      res.on('close', () => told.push('close'))
      res.write(LEAK, () => told.push('write'))
    }
    await withRedeeming(
      { handlers: [waiting], verbs: losing(() => Promise.resolve('revoked')) },
      async (server) => {
        await server.act(await server.key()).expect(401)
        await until(() => told.length === 2)
      },
    )
  })

  test('refuses with 401 when the key is revoked while the handler runs, and tells nobody it was redeemed', () => {
    const started = gate()
    const finish = gate()
    const handler: RequestHandler = (_req, res) => {
      started.open()
      void finish.opened.then(() => res.status(201).json({ made: LEAK }))
    }
    return withRedeeming({ handlers: [handler] }, async (server) => {
      const key = await server.key()
      const answer = server.actExactly(key)
      await started.opened
      expect(await server.keys.revokeKey(keyRefOf(key))).toBe('revoked')
      finish.open()
      expect(await answer).toMatchObject({ status: 401, text: expect.not.stringContaining(LEAK) })
      expect(await server.stateOf(key)).toBe('revoked')
      expect(server.events.map(({ type }) => type)).toEqual(['key.issued', 'key.revoked', 'request.refused'])
      expect(server.events.at(-1)).toMatchObject({
        endpoint: 'redeem',
        reason: 'key_revoked',
        clientId: CLIENT,
      })
    })
  })

  test('lets a failure of the handler through when the key is revoked in the meantime', () => {
    const handler: RequestHandler = (req, res) => {
      const { clientId = '', keyId = '' } = req.provisioning ?? {}
      void revokeKey({ clientId, keyId }).then(() => res.status(409).json({ fault: 'mine' }))
    }
    let revokeKey: RedeemingServer['keys']['revokeKey']
    return withRedeeming({ handlers: [handler] }, async (server) => {
      revokeKey = server.keys.revokeKey
      const key = await server.key()
      await server.act(key).expect(409, { fault: 'mine' })
      expect(await server.stateOf(key)).toBe('revoked')
    })
  })

  test('lets a failure of the handler through when the store cannot release the key', () =>
    withRedeeming(
      {
        handlers: [(_req, res) => void res.status(409).json({ fault: 'mine' })],
        verbs: () => ({ release: () => Promise.reject(new Error('connection lost')) }),
      },
      async (server) => {
        const key = await server.key()
        await server.act(key).expect(409, { fault: 'mine' })
        await server.act(key).expect(401)
        expect(await server.stateOf(key)).toBe('redeeming')
      },
    ))

  test.each<[string, RequestHandler]>([
    ['a header that cannot be written', (_req, res) => void res.writeHead(201, { 'X-Made': 'a\nb' }).end()],
    ['a body that is no text', (_req, res) => void res.end({ made: true } as never)],
    [
      'a status that is none',
      (_req, res) => {
        res.statusCode = 42
        res.end()
      },
    ],
  ])('is a failure of the handler, and releases the key, when it has %s', (_title, handler) =>
    withRedeeming({ handlers: [handler] }, async (server) => {
      const key = await server.key()
      await server.act(key).expect(500)
      expect(await server.stateOf(key)).toBe('issued')
    }),
  )
})
