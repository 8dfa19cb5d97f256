import { randomBytes, randomUUID } from 'node:crypto'
import { PassThrough } from 'node:stream'
import express, { type Express } from 'express'
import morgan from 'morgan'
import { type Options, pinoHttp } from 'pino-http'
import supertest from 'supertest'
import { generateSigningKeys, provisioningKeys } from '../../lib/index.js'
import { codeUnder } from './markdown'
import { runCode } from './run-code'

const SECRET = randomBytes(32).toString('hex')
const HTTPS = { 'X-Forwarded-Proto': 'https' }

/** A logger of the guide, mounted first in an app. `printed` returns the log. */
interface Logged {
  readonly app: Express
  printed(): string
}

function appWithLoggerOf(code: string): Logged {
  const stream = new PassThrough()
  const chunks: string[] = []
  stream.on('data', (chunk) => chunks.push(String(chunk)))
  // The loggers of the guide write to the standard output. Here they write to the stream.
  const modules = {
    'pino-http': { pinoHttp: (options: Options) => pinoHttp(options, stream) },
    morgan: Object.assign((format: string, options = {}) => morgan(format, { ...options, stream }), {
      token: morgan.token,
    }),
  }
  const app = express().set('trust proxy', 'loopback')
  runCode(code, { modules, globals: { app } })
  mountKeys(app)
  return { app, printed: () => chunks.join('') }
}

function mountKeys(app: Express): void {
  const policy = { scopes: ['devices:create'], defaultScopes: ['devices:create'] }
  const keys = provisioningKeys({
    issuer: 'https://auth.example.com',
    audience: 'https://api.example.com',
    signingKeys: generateSigningKeys(),
    clients: [{ clientId: 'fleet', clientSecret: SECRET, policy }],
    observer: () => undefined,
  })
  app.use(keys.router())
  app.post('/devices', keys.redeemProvisioningKey({ scope: 'devices:create' }), (_req, res) => {
    res.status(201).json({})
  })
  app.use(keys.errorHandler())
}

/** Sends credentials in each place where clients put them, also in wrong ones. Returns them. */
async function sendCredentials(app: Express): Promise<readonly string[]> {
  const grant = { grant_type: 'client_credentials' }
  const ask = () => supertest(app).post('/oauth/token').set(HTTPS).type('form')
  const { body } = await ask().auth('fleet', SECRET).send(grant).expect(200)
  await ask()
    .send({ ...grant, client_id: 'fleet', client_secret: SECRET })
    .expect(200)
  const key: string = body.access_token
  const proof = `proof.${randomUUID()}.signature`
  const presented = { ...HTTPS, Authorization: `Bearer ${key}` }
  await supertest(app).post('/devices').set(presented).set('DPoP', proof).expect(401)
  await supertest(app).post(`/devices?access_token=${key}`).set(HTTPS).expect(400)
  await supertest(app).post('/devices').set('Authorization', `Bearer ${key}`).expect(403)
  await supertest(app)
    .post('/devices')
    .set({ Authorization: `Basic ${basic}` })
    .expect(403)
  await supertest(app)
    .get(`/unknown?access_token=${key}`)
    .set({ Authorization: `Basic ${basic}` })
    .expect(404)
  return [SECRET, basic, key, ...key.split('.').slice(1), proof]
}

const basic = Buffer.from(`fleet:${SECRET}`).toString('base64')

describe('a logger that is mounted first', () => {
  test.each(['pino-http', 'morgan'])('prints no credentials with %s as in the guide', async (name) => {
    const { app, printed } = appWithLoggerOf(codeUnder('docs/guides/logging.md', name))
    const credentials = await sendCredentials(app)
    const log = printed()
    expect(log.match(/\/oauth\/token/g)?.length).toBeGreaterThanOrEqual(2)
    expect(log.match(/\/devices/g)?.length).toBeGreaterThanOrEqual(4)
    expect(credentials.filter((text) => log.includes(text))).toEqual([])
  })

  test.each([
    ['pino-http', "import { pinoHttp } from 'pino-http'\napp.use(pinoHttp({}))"],
    ['morgan', "import morgan from 'morgan'\napp.use(morgan(':req[authorization]', { immediate: true }))"],
  ])('prints credentials with %s in another configuration', async (_name, code) => {
    const { app, printed } = appWithLoggerOf(code)
    const credentials = await sendCredentials(app)
    expect(credentials.filter((text) => printed().includes(text))).toContain(basic)
  })
})
