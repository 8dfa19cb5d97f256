import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../cli/command-line.js'
import { run as runDemo } from '../../demo/child.js'
import { ROOT } from '../../docs/markdown'
import { makeSandbox, type Sandbox } from '../../docs/sandbox'
import { inShell, untilItSucceeds } from '../../docs/shell'
import { freePort } from '../../support/free-port'
import { until } from '../../support/redeeming.js'
import { SECRET } from '../../support/server.js'

/** The command passes on what we give to users. */

const MAIN = join(ROOT, 'dist/cli/main.js')
let sandbox: Sandbox

beforeAll(() => {
  sandbox = makeSandbox()
})

afterAll(() => sandbox.remove())

it.each([
  ['ci-runner', 'ci', 'CI_SECRET'],
  ['enroll-device', 'fleet', 'FLEET_SECRET'],
])(
  'check passes on the example %s',
  async (name, clientId, variable) => {
    copyFileSync(join(ROOT, 'examples', name, 'server.js'), join(sandbox.folder, `${name}.mjs`))
    const port = await freePort()
    const issuer = `http://localhost:${port}`
    const wait = untilItSucceeds(`curl -sf ${issuer}/oauth/jwks -o /dev/null`)
    const check = `node ${MAIN} check ${issuer} --client-id ${clientId} --secret-env ${variable}`
    const commands = `node ${name}.mjs > ${name}.log & trap "kill $!" EXIT; ${wait}; ${check}`
    const env = { PORT: `${port}`, [variable]: SECRET }
    const { stdout } = await inShell(sandbox.folder, commands, env)
    expect(stdout).toMatch(/\nAll checks that ran passed \(8\d passed, 1\d skipped\)\.\n$/)
  },
  120_000,
)

it('check passes on the demo', async () => {
  const demo = runDemo('main.ts', { PORT: '0', HTTP_PORT: '0', DEMO_CLIENT_SECRET: SECRET }, ['--commands'])
  await until(() => /page {7}http/.test(demo.stdout()))
  const [origin = ''] = /https:\/\/localhost:\d+/.exec(demo.stdout()) ?? []
  const [, httpPort = ''] = /http:\/\/localhost:(\d+)/.exec(demo.stdout()) ?? []
  const { port } = new URL(origin)
  const pem = `openssl s_client -connect localhost:${port} </dev/null 2>/dev/null | openssl x509 > demo.pem`
  await inShell(sandbox.folder, pem)
  const place = ['--ca-file', join(sandbox.folder, 'demo.pem'), '--http-port', httpPort]
  const scope = ['--scope', 'provision:token devices:create config:read']
  const routes = ['--protected-url', `${origin}/whoami`, '--other-audience', `${origin}/warehouse`]
  const client = ['--client-id', 'demo-client', '--secret-env', 'SECRET']
  const ended = await run(['check', origin, ...client, ...place, ...scope, ...routes], { env: { SECRET } })
  demo.kill('SIGTERM')
  // The demo makes a new certificate for each day.
  expect(ended.stdout).toMatch(/\nAll checks that ran passed \(100 passed, 1 warning, 4 skipped\)\.\n$/)
}, 120_000)
