import { once } from 'node:events'
import type { Express } from 'express'
import { provision } from '../../lib/client/client'
import { memoryOf } from '../client/issuer'
import { freePort } from '../support/free-port'
import { describeInAll } from '../support/scale'
import { codeBlocks, codeUnder } from './markdown'
import { runCode } from './run-code'
import { makeSandbox, type Sandbox } from './sandbox'
import { inShell, printing } from './shell'

const PAGE = 'docs/guides/existing-api.md'
const blocks = codeBlocks(PAGE)

function codeIn(language: string): string[] {
  return blocks.filter((block) => block.language === language).map(({ code }) => code)
}

const [app = '', device = ''] = codeIn('js')

describeInAll('the commands of docs/guides/existing-api.md', () => {
  let sandbox: Sandbox

  beforeAll(() => {
    sandbox = makeSandbox()
  })

  afterAll(() => sandbox.remove())

  it('let users and devices call one route, over HTTPS too', async () => {
    const port = `${await freePort()}`
    const save = (name: string, code: string) => sandbox.write(name, code.replaceAll('3000', port))
    const listen = codeUnder(PAGE, 'A device on another machine')
    save('app.mjs', app)
    save('device.mjs', device)
    save('secure.mjs', app.replace('app.listen(3000)', listen))
    const [here = '', there = '', onDevice = ''] = codeIn('sh')
    const stopping = 'node app.mjs >>app.log 2>&1 & trap "kill $!" EXIT'
    const first = here.replace(/^node app\.mjs .*$/m, stopping)
    const second = there
      .replace(/^ADDRESS=.*$/m, 'ADDRESS=127.0.0.1')
      .replace(/^node app\.mjs .*$/m, stopping.replace('app.mjs', 'secure.mjs'))
    const commands = [first, 'kill $!', 'rm identity.json', second, onDevice].join('\n')
    const { stdout } = await inShell(sandbox.folder, commands.replaceAll('3000', port))
    const promised = codeIn('text').join('').trim().split('\n')
    expect(stdout).toMatch(printing([...promised, '200 {"from":"device:8","celsius":21.5}']))
  }, 60_000)
})

/** The app of the page, in this process. */
async function startApp(change: (code: string) => string) {
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const secret = 's'.repeat(32)
  const env = { ORIGIN: origin, FLEET_SECRET: secret, PASSWORD: secret, JWT_SECRET: secret }
  const program = change(app).replace('app.listen(3000)', 'export { app }')
  const globals = { process: { ...process, env }, console: { log: () => undefined } }
  const { app: started } = runCode<{ app: Express }>(program, { globals })
  const server = started.listen(port)
  await once(server, 'listening')
  const post = (path: string, headers: Record<string, string>, body: object) =>
    fetch(origin + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Connection: 'close', ...headers },
      body: JSON.stringify(body),
    })
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  return { origin, secret, post, close }
}

describe('the app of docs/guides/existing-api.md', () => {
  /** The login of an app with sessions. */
  const requireUser = `const requireUser = (req, res, next) => {
  res.locals.user = req.session.user
  if (req.session.user === undefined) res.sendStatus(401)
  else next()
}
`

  it('lets users with a session and devices call one route', async () => {
    const withSessions = (code: string) =>
      code
        .replace(
          'app.use(express.json())',
          "$&\napp.use(require('express-session')({ secret: 'x', resave: false, saveUninitialized: false }))",
        )
        .replace(/res\.json\(\{ jwt: .*$/m, "req.session.user = 'alice'; res.json({})")
        .replace(/^const requireUser = [\s\S]*?^\}\n/m, requireUser)
    const { origin, secret, post, close } = await startApp(withSessions)
    try {
      const login = await post('/login', {}, { password: secret })
      const Cookie = login.headers.get('set-cookie')?.split(';')[0] ?? ''
      const asUser = await post('/telemetry', { Cookie }, { celsius: 19 })
      expect([asUser.status, await asUser.json()]).toEqual([200, { from: 'alice', celsius: 19 }])
      expect((await post('/telemetry', {}, {})).status).toBe(401)
      expect((await post('/telemetry', { Authorization: 'DPoP x', Cookie }, {})).status).toBe(401)
      const device = await provision({
        issuer: origin,
        action: 'bind',
        client: { id: 'fleet', secret },
        subject: 'device:9',
        scope: 'telemetry:write',
        state: memoryOf(),
      })
      const asDevice = await device.fetch(`${origin}/telemetry`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: '{"celsius":21.5}',
      })
      expect([asDevice.status, await asDevice.json()]).toEqual([200, { from: 'device:9', celsius: 21.5 }])
    } finally {
      close()
    }
  })

  it('answers with its own 401 if its login comes before the router', async () => {
    const first = (code: string) =>
      code.replace('app.use(keys.router())', 'app.use((_req, res) => void res.sendStatus(401))\n$&')
    const { post, close } = await startApp(first)
    try {
      const answer = await post('/oauth/token', {}, {})
      expect([answer.status, await answer.text()]).toEqual([401, 'Unauthorized'])
    } finally {
      close()
    }
  })
})
