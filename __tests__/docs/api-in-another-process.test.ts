import { type ChildProcess, spawn } from 'node:child_process'
import { freePort } from '../support/free-port'
import { codeBlocks, codeUnder } from './markdown'
import { javaScript } from './run-code'
import { makeSandbox, type Sandbox } from './sandbox'
import { commentsIn, inShell, printing, untilItSucceeds } from './shell'

const PAGE = 'docs/guides/api-in-another-process.md'

let sandbox: Sandbox

beforeAll(() => {
  sandbox = makeSandbox()
})

afterAll(() => sandbox.remove())

describe(`the two processes of ${PAGE}`, () => {
  it('do what the commands show', async () => {
    const [makeCertificate = '', commands = ''] = codeBlocks(PAGE)
      .filter(({ heading }) => heading === 'Try it')
      .map(({ code }) => code)
    const [issuing, verifying] = [await freePort(), await freePort()]
    sandbox.write('issuer.mjs', javaScript(codeUnder(PAGE, 'The issuer'), 'es6'))
    sandbox.write('api.mjs', javaScript(codeUnder(PAGE, 'The API'), 'es6'))
    const secrets = await secretsFrom(makeCertificate)
    const env = { ...secrets, ISSUER: `https://localhost:${issuing}`, PORT: String(verifying) }
    const children = [start('issuer.mjs', env), start('api.mjs', { ...env, NODE_EXTRA_CA_CERTS: 'cert.pem' })]
    try {
      const waits = [issuing, verifying].map(
        (port) => `${untilItSucceeds(`curl -sko /dev/null https://localhost:${port}`)}\n`,
      )
      const addressed = commands.replaceAll('4001', `${issuing}`).replaceAll('4002', `${verifying}`)
      const { stdout } = await inShell(sandbox.folder, waits.join('') + addressed, secrets)
      expect(stdout).toMatch(printing(commentsIn(commands)))
    } finally {
      for (const child of children) child.kill()
    }
  }, 60_000)
})

function start(program: string, env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, [program], {
    cwd: sandbox.folder,
    env: { PATH: process.env['PATH'], ...env },
    stdio: 'inherit',
  })
}

/** Runs commands that export secrets, and returns these. */
async function secretsFrom(commands: string): Promise<Record<string, string>> {
  const { stdout } = await inShell(sandbox.folder, `${commands}\nenv | grep _SECRET=`)
  const lines = stdout.trim().split('\n')
  return Object.fromEntries(lines.map((line) => line.split('=') as [string, string]))
}
