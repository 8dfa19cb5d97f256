import { createHash, randomBytes } from 'node:crypto'
import express, { type Express } from 'express'
import supertest from 'supertest'
import { generateSigningKeys, provisioningKeys } from '../../lib/index.js'
import { codeUnder } from './markdown'
import { runCode } from './run-code'

const PAGE = 'docs/guides/watch-and-act.md'
const HTTPS = { 'X-Forwarded-Proto': 'https' }
const TOKEN = randomBytes(32).toString('hex')

/** An app with the code of a heading. `prepare` mounts what comes before. */
function appWith(heading: string, change: (code: string) => string = (code) => code): Express {
  const app = express().set('trust proxy', 'loopback')
  const keys = provisioningKeys({
    issuer: 'https://auth.example.com',
    audience: 'https://api.example.com',
    signingKeys: generateSigningKeys(),
    clients: [],
  })
  const env = { SESSION_SECRET: TOKEN, ADMIN_TOKEN_SHA256: createHash('sha256').update(TOKEN).digest('hex') }
  const [code] = [codeUnder(PAGE, heading)].flat()
  runCode(change(String(code)), { globals: { app, keys, process: { env } } })
  return app
}

describe('the administration', () => {
  it('knows the users of the login, as in the guide', async () => {
    // The app of the guide has a login of its own. This one stores the name in the session that it gets.
    const login =
      "app.get('/login/:user', (req, res) => { req.session.user = req.params.user; res.end() })\napp.use(\n  '/admin'"
    const app = appWith('Behind the login of your app', (code) => code.replace("app.use(\n  '/admin'", login))
    const agentOf = async (user: string) => {
      const agent = supertest.agent(app)
      const { headers } = await agent.get(`/login/${user}`).set(HTTPS)
      return { Cookie: String(headers['set-cookie']).split(';')[0] ?? '', ...HTTPS }
    }
    const overview = (headers: Record<string, string>) =>
      supertest(app).get('/admin/api/overview').set(headers)
    expect((await overview(HTTPS)).status).toBe(403)
    expect((await overview(await agentOf('alice'))).body).toMatchObject({ role: 'operate', actor: 'alice' })
    expect((await overview(await agentOf('carol'))).body).toMatchObject({ role: 'view', actor: 'carol' })
  })

  it('knows the users of a proxy, and only from the proxy, as in the guide', async () => {
    const change = (proxy: string) => (code: string) => code.replaceAll('10.0.0.2', proxy)
    const ask = (app: Express, user?: string) =>
      supertest(app)
        .get('/admin/api/overview')
        .set({ ...HTTPS, ...(user !== undefined && { 'X-Forwarded-Email': user }) })
    const behind = appWith('Behind a proxy with a login', change('127.0.0.1'))
    expect((await ask(behind, 'alice@example.com')).body).toMatchObject({ role: 'operate' })
    expect((await ask(behind, 'carol@example.com')).body).toMatchObject({ role: 'view' })
    expect((await ask(behind)).status).toBe(403)
    expect((await ask(appWith('Behind a proxy with a login'), 'alice@example.com')).status).toBe(403)
  })

  it('knows a token by its hash, as in the guide', async () => {
    const app = appWith('With a bearer token')
    const ask = (token: string) =>
      supertest(app)
        .get('/admin-api/api/overview')
        .set({ ...HTTPS, Authorization: `Bearer ${token}` })
    expect((await ask(TOKEN)).body).toMatchObject({ role: 'view', actor: 'backup-script' })
    expect((await ask(`${TOKEN}x`)).status).toBe(403)
    expect((await supertest(app).get('/admin-api/api/overview').set(HTTPS)).status).toBe(403)
    expect(
      (
        await supertest(app)
          .get('/admin-api/')
          .set({ ...HTTPS, Authorization: `Bearer ${TOKEN}` })
      ).status,
    ).toBe(404)
  })
})
