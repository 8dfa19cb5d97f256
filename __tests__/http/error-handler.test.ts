import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { ConfigurationError, getProvisioning, ProvisioningError } from '../../lib/index.js'
import { withApp } from '../support/host-app.js'
import { send } from '../support/requests.js'
import { AUDIENCE, type RunningServer } from '../support/server.js'

/** The error that our error handler passes on to the host's handler. */
const theirs: ErrorRequestHandler = (error, _req, res, _next) =>
  void res.status(499).json({ theirs: String(error?.message ?? error) })

async function withRoute(handler: RequestHandler, test: (server: RunningServer) => Promise<void>) {
  await withApp((app, keys) => {
    app.use(
      express.json({ limit: 100 }),
      express.urlencoded({ extended: true, parameterLimit: 3, limit: 1000 }),
    )
    app.all('/route', handler)
    app.use(keys.errorHandler(), theirs)
  }, test)
}

const post = (server: RunningServer, type: string, body: string) =>
  send(server, 'post', '/route').type(type).send(body)

describe('errorHandler()', () => {
  test.each<[string, unknown]>([
    ['an error of the host', new Error('mine')],
    ['an error with a status', Object.assign(new Error('mine'), { status: 418 })],
    ['an error whose type is not a body parser’s', Object.assign(new Error('mine'), { type: 'mine' })],
    [
      'an error whose type is a name of Object.prototype',
      Object.assign(new Error('mine'), { type: 'toString' }),
    ],
    ['an error of Node', Object.assign(new Error('mine'), { code: 'ENOENT' })],
    ['a text', 'mine'],
  ])('passes %s on as it is', (_title, error) =>
    withRoute(
      (_req, _res, next) => next(error),
      async (server) => {
        await send(server, 'get', '/route').expect(499, { theirs: 'mine' })
        expect(server.events).toEqual([])
      },
    ),
  )

  const answers: [
    string,
    number,
    string,
    (server: RunningServer) => PromiseLike<{ status: number; body: unknown }>,
  ][] = [
    [
      'JSON that cannot be parsed',
      400,
      'body_malformed',
      (server) => post(server, 'json', '{"key": eyJhbGciOiJFUzI1NiJ9'),
    ],
    [
      'JSON that is too long',
      413,
      'body_too_large',
      (server) => post(server, 'json', JSON.stringify('x'.repeat(200))),
    ],
    [
      'a form of too many parameters',
      413,
      'body_too_large',
      (server) => post(server, 'form', 'a=1&b=2&c=3&d=4'),
    ],
    [
      'a charset that nobody knows',
      415,
      'media_type_unsupported',
      (server) => post(server, 'application/json; charset=klingon', '{}'),
    ],
    [
      'an encoding that nobody knows',
      415,
      'media_type_unsupported',
      (server) => post(server, 'json', '{}').set('Content-Encoding', 'klingon'),
    ],
    [
      'an encoding that it is not in',
      400,
      'body_malformed',
      (server) => post(server, 'json', '{}').set('Content-Encoding', 'gzip'),
    ],
  ]

  test.each(answers)('answers for a body parser: %s', (_title, status, reason, act) =>
    withRoute(
      (_req, res) => void res.send('in'),
      async (server) => {
        const answer = await act(server)
        expect(answer).toMatchObject({ status, body: { error: 'invalid_request' } })
        expect(JSON.stringify(answer.body)).not.toMatch(/eyJ|klingon|Unexpected/)
        expect(server.events).toEqual([expect.objectContaining({ type: 'request.refused', reason, status })])
        expect(JSON.stringify(server.events)).not.toMatch(/eyJ/)
      },
    ),
  )

  test('answers a refusal of ours that a handler throws', () =>
    withRoute(
      () => {
        throw new ProvisioningError('scope_insufficient', 'The key lacks the scope x.', {
          facts: { requiredScope: 'x' },
        })
      },
      async (server) => {
        const { body, headers } = await send(server, 'get', '/route').expect(403)
        expect(body.error).toBe('insufficient_scope')
        expect(headers['www-authenticate']).toMatch(/scope="x"/)
      },
    ))

  test('answers a route without a guard with a 500 that tells nothing, and tells those who observe', () =>
    withRoute(
      (req, res) => void res.json(getProvisioning(req)),
      async (server) => {
        const { body } = await send(server, 'get', '/route').expect(500)
        expect(body).toEqual({
          error: 'server_error',
          error_description: 'The server met an unexpected condition.',
        })
        expect(server.events).toEqual([
          expect.objectContaining({ type: 'configuration.advised' }),
          expect.objectContaining({
            reason: 'server_fault',
            detail: expect.stringMatching(
              /^The app threw an unexpected error \(req\.provisioning: .*requireProvisioningKey\(\).*[^.]\)\.$/,
            ),
          }),
        ])
      },
    ))

  test('ends the connection when the answer has begun', () =>
    withRoute(
      (_req, res, next) => {
        res.write('begun')
        setTimeout(() => next(new ConfigurationError(['late'])), 10)
      },
      async (server) => {
        await expect(send(server, 'get', '/route')).rejects.toThrow(/aborted|hang up/)
      },
    ))

  test('shows a ConfigurationError on the console once, and tells the client nothing of it', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      await withRoute(
        (req, res) => void res.json(getProvisioning(req)),
        async (server) => {
          for (let i = 0; i < 2; i += 1) {
            const { body } = await send(server, 'get', '/route').expect(500)
            expect(body).toMatchObject({ error: 'server_error' })
            expect(body.error_description).not.toContain('requireProvisioningKey')
          }
          expect(warn.mock.calls).toEqual([
            [
              expect.stringContaining('put requireProvisioningKey()'),
              { type: 'ProvisioningKeysWarning', code: 'EPK_CONFIGURATION' },
            ],
          ])
          expect(server.events).toContainEqual(expect.objectContaining({ type: 'configuration.advised' }))
        },
      )
    } finally {
      warn.mockRestore()
    }
  })

  test('shows at most 20 faults on the console, however many requests cause a new one', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      await withRoute(
        ({ originalUrl }, _res, next) => next(new ConfigurationError([originalUrl])),
        async (server) => {
          for (let i = 0; i < 25; i += 1) await send(server, 'get', `/route?${i}`).expect(500)
          expect(warn).toHaveBeenCalledTimes(20)
          const advised = server.events.filter(({ type }) => type === 'configuration.advised')
          expect(advised).toHaveLength(20)
        },
      )
    } finally {
      warn.mockRestore()
    }
  })

  test('refuses a token in the query of a body that cannot be parsed, without leaving it in the URL', () => {
    let url = ''
    return withApp(
      (app, keys) => {
        app.use((req, res, next) => {
          res.on('finish', () => {
            url = req.originalUrl
          })
          next()
        }, express.json())
        app.use('/route', keys.requireProvisioningKey({ anyScope: true, audience: AUDIENCE }))
        app.use(keys.errorHandler())
      },
      async (server) => {
        await send(server, 'post', '/route?access_token=eyJsecret').type('json').send('{').expect(400)
        expect(url).not.toContain('eyJsecret')
      },
    )
  })
})
