import type { ErrorRequestHandler, RequestHandler } from 'express'
import { obtainKey, send } from '../../support/requests.js'
import { AUDIENCE, startServer } from '../../support/server.js'

/** A handler that checks the precondition itself, after it has acted. */
const failing: RequestHandler = (_req, _res, next) => next(new Error('the resource has changed'))

const bearer = (key: string) => ({ Authorization: `Bearer ${key}` })

test.each<[string, Record<string, string>, RequestHandler]>([
  ['an Accept', { Accept: 'text/x-nope' }, (_req, res) => void res.format({ json: () => res.json({}) })],
  ['a Range', { Range: 'bytes=900000-' }, (_req, res) => res.sendFile(__filename)],
  ['an If-Match', { 'If-Match': '"nope"' }, (_req, res) => res.sendFile(__filename)],
  ['a Range', { Range: 'bytes=900000-' }, (_req, res, next) => res.sendFile(__filename, (e) => e && next(e))],
  ['an If-Match', { 'If-Match': '"x"' }, (_req, res, next) => res.download(__filename, (e) => e && next(e))],
  ['an If-Match', { 'If-Match': '"x"' }, (req, res, next) => failing(req, res, next)],
])(
  'with %s makes no handler act twice, though the host answers all errors with 500',
  async (_, headers, answer) => {
    let acted = 0
    const acting: RequestHandler[] = [
      (_req, _res, next) => {
        acted += 1
        next()
      },
      answer,
    ]
    const server = await startServer({
      mount(app, keys) {
        app.use(keys.router())
        const scope = { scope: 'devices:create', audience: AUDIENCE }
        app.post('/act', keys.redeemProvisioningKey(scope), ...acting)
        const answerAll: ErrorRequestHandler = (error, _req, res, next) => {
          if (error instanceof Error && 'reason' in error) return next(error)
          res.status(500).json({})
        }
        app.use(answerAll, keys.errorHandler())
      },
    })
    try {
      const key = await obtainKey(server, { scope: 'devices:create' })
      await send(server, 'post', '/act').set(bearer(key)).set(headers).expect(500)
      await send(server, 'post', '/act').set(bearer(key)).set(headers).expect(401)
      expect(acted).toBe(1)
    } finally {
      await server.close()
    }
  },
)
