import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { promisify } from 'node:util'
import { transformSync } from 'esbuild'
import { codeBlocks } from './markdown'
import { makeSandbox, type Sandbox } from './sandbox'

const PAGE = 'docs/guides/api-in-another-process.md'

let sandbox: Sandbox

beforeAll(() => {
  sandbox = makeSandbox()
})

afterAll(() => sandbox.remove())

describe('the two processes of docs/guides/api-in-another-process.md', () => {
  it('do what the commands show', async () => {
    const [makeCertificate = '', commands = ''] = blocks('Trying it')
    const [issuer = ''] = blocks('The issuer')
    const [api = ''] = blocks('The API')
    const [issuing, verifying] = [await freePort(), await freePort()]
    sandbox.write('issuer.mjs', javaScript(issuer))
    sandbox.write('api.mjs', javaScript(api))
    const secrets = await secretsFrom(makeCertificate)
    const env = { ...secrets, ISSUER: `https://localhost:${issuing}`, PORT: String(verifying) }
    const children = [start('issuer.mjs', env), start('api.mjs', { ...env, NODE_EXTRA_CA_CERTS: 'cert.pem' })]
    try {
      await Promise.all([issuing, verifying].map((port, i) => listening(port, children[i])))
      const { stdout } = await inShell(
        commands.replaceAll('4001', `${issuing}`).replaceAll('4002', `${verifying}`),
        secrets,
      )
      expect(stdout).toMatch(/^\{"for":"ci-runner"\}\{"error":"invalid_token",.*\}$/)
    } finally {
      for (const child of children) child.kill()
    }
  }, 60_000)
})

function blocks(heading: string): string[] {
  return codeBlocks(PAGE)
    .filter((block) => block.heading === heading)
    .map(({ code }) => code)
}

function javaScript(code: string): string {
  return transformSync(code, { loader: 'ts', format: 'esm' }).code
}

function start(program: string, env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, [program], {
    cwd: sandbox.folder,
    env: { PATH: process.env['PATH'], ...env },
    stdio: 'inherit',
  })
}

function inShell(commands: string, env: Record<string, string> = {}): Promise<{ stdout: string }> {
  return promisify(execFile)('sh', ['-ec', commands], {
    cwd: sandbox.folder,
    env: { ...process.env, ...env },
  })
}

/** Runs commands that export secrets; answers with these. */
async function secretsFrom(commands: string): Promise<Record<string, string>> {
  const { stdout } = await inShell(`${commands}\nenv | grep _SECRET=`)
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split('=') as [string, string]),
  )
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function listening(port: number, child: ChildProcess | undefined): Promise<void> {
  while (child?.exitCode === null) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, 'localhost')
      socket.once('error', () => resolve(false))
      socket.once('connect', () => resolve(socket.destroy() !== undefined))
    })
    if (isOpen) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the process has ended')
}
