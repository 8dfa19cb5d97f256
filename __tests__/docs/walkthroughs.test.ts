import { transformSync } from 'esbuild'
import { codeBlocks, readText } from './markdown'
import { makeSandbox, type Sandbox } from './sandbox'
import { freePort, inShell, promisedBy } from './shell'

let sandbox: Sandbox

beforeAll(() => {
  sandbox = makeSandbox()
})

afterAll(() => sandbox.remove())

/** The files that a page tells its reader to save, by their names. */
function filesOf(page: string): Record<string, string> {
  const saved = readText(page).matchAll(/as\s+`([\w.]+)`:\n\n```(?:js|ts)\n([\s\S]*?)^```$/gm)
  return Object.fromEntries([...saved].map(([, name = '', code = '']) => [name, code]))
}

/** The commands of a page, without those that install something or belong to a clone. */
function commandsOf(page: string): string {
  const blocks = codeBlocks(page).filter(({ language }) => language === 'sh')
  return blocks
    .map(({ code }) => code)
    .filter((code) => !/^npm /m.test(code))
    .join('')
}

/** Starts the app of a page in the background, until the commands end. */
function startedBy(port: number): (text: string) => string {
  const isListening = `curl -so /dev/null localhost:${port}`
  const start = `node app.mjs & trap "kill $!" EXIT; until ${isListening}; do sleep 0.1; done`
  return (text) => text.replace('node app.mjs & sleep 1', start)
}

describe.each(['README.md', 'docs/guides/enroll-a-device.md', 'docs/guides/ci-runner.md'])(
  '%s, followed in an empty folder',
  (page) => {
    it('does everything that its commands promise', async () => {
      const port = await freePort()
      const withPort = (text: string) => text.replaceAll('3000', `${port}`)
      for (const [name, code] of Object.entries(filesOf(page)))
        sandbox.write(name, transformSync(withPort(code), { loader: 'ts', format: 'esm' }).code)
      const commands = commandsOf(page)
      const { stdout } = await inShell(sandbox.folder, startedBy(port)(withPort(commands)))
      expect(stdout).toMatch(promisedBy(commands))
    }, 60_000)
  },
)

describe('docs/guides/local-development.md', () => {
  it('serves over HTTPS with the certificate that its commands make', async () => {
    const port = await freePort()
    const blocks = codeBlocks('docs/guides/local-development.md')
    const [keys, listen] = blocks.filter(({ language }) => language === 'ts').map(({ code }) => code)
    const imports = "import express from 'express'\n"
    const app = `${imports}${keys?.replace('http:', 'https:')}\nconst app = express().use(keys.router())\n${listen}`
    const { code } = transformSync(app.replaceAll('3000', `${port}`), { loader: 'ts', format: 'esm' })
    sandbox.write('app.mjs', code)
    const [commands = ''] = blocks.filter(({ language }) => language === 'sh').map(({ code }) => code)
    const jwks = `curl -sf --cacert cert.pem https://localhost:${port}/oauth/jwks`
    const wait = `node app.mjs & trap "kill $!" EXIT; until ${jwks}; do sleep 0.1; done`
    const { stdout } = await inShell(sandbox.folder, commands.replace('node app.mjs', wait), {
      FLEET_SECRET: 'f'.repeat(32),
    })
    expect(stdout).toMatch(/"keys":\[/)
  }, 60_000)
})

describe('docs/guides/production.md', () => {
  it('starts with what its commands make', async () => {
    const blocks = codeBlocks('docs/guides/production.md')
    const [program = ''] = blocks.filter(({ language }) => language === 'ts').map(({ code }) => code)
    const [commands = ''] = blocks.filter(({ language }) => language === 'sh').map(({ code }) => code)
    const { code } = transformSync(program, { loader: 'ts', format: 'esm' })
    sandbox.write('production.mjs', `${code}\nconsole.log(typeof keys.router)\n`)
    const { stdout } = await inShell(sandbox.folder, `${commands}\nnode production.mjs`)
    expect(stdout).toBe('function\n')
  })
})

describe('README.md', () => {
  const text = readText('README.md')

  it('has at most 8 KB', () => {
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(8192)
  })

  it('shows the first success within 60 lines', () => {
    const lines = text.split('\n')
    expect(lines.findIndex((line) => line.includes('# {"owner"'))).toBeLessThan(60)
  })

  it('has two commands for a clone', () => {
    const [block] = codeBlocks('README.md').filter(({ heading }) => heading === 'Try it in a clone')
    expect(block?.code.trim().split('\n')).toEqual(['npm run demo', 'npm test'])
  })

  it('has a table with four rows to choose from', () => {
    const [, choice = ''] = text.split('## Which way to redeem?')
    expect(choice.split('\n## ')[0]?.match(/^\| (?!You want)[^-]/gm)).toHaveLength(4)
  })
})
