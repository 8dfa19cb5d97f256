import { freePort } from '../support/free-port'
import { itInAll, sampled } from '../support/scale.js'
import { codeBlocks, readText } from './markdown'
import { javaScript } from './run-code'
import { makeSandbox, type Sandbox } from './sandbox'
import { inShell, untilItSucceeds } from './shell'
import { follow } from './walkthrough'

let sandbox: Sandbox

beforeAll(() => {
  sandbox = makeSandbox()
})

afterAll(() => sandbox.remove())

describe.each(sampled(['docs/guides/enroll-a-device.md', 'docs/guides/ci-runner.md'], () => 0))(
  '%s',
  (page) => {
    it('does everything that its commands promise', () => follow(page, sandbox), 60_000)
  },
)

describe('the device of docs/guides/enroll-a-device.md', () => {
  it('says in one line what to do if it is not enrolled', async () => {
    const [program = ''] = codeBlocks('docs/guides/enroll-a-device.md')
      .filter(({ language }) => language === 'js')
      .map(({ code }) => code)
    sandbox.write('unenrolled.mjs', program)
    const report = 'mkdir unenrolled && cd unenrolled && node ../unenrolled.mjs report 2>&1 || echo "code $?"'
    const { stdout } = await inShell(sandbox.folder, report)
    expect(stdout).toBe('first run: node device.mjs enroll "$ANSWER"\ncode 1\n')
  })
})

describe('docs/guides/local-development.md', () => {
  it('serves over HTTPS with the certificate that its commands make', async () => {
    const port = await freePort()
    const blocks = codeBlocks('docs/guides/local-development.md')
    const [keys, listen] = blocks.filter(({ language }) => language === 'ts').map(({ code }) => code)
    const imports = "import express from 'express'\n"
    const app = `${imports}${keys?.replace('http:', 'https:')}\nconst app = express().use(keys.router())\n${listen}`
    sandbox.write('app.mjs', javaScript(app.replaceAll('3000', `${port}`), 'es6'))
    const [commands = ''] = blocks.filter(({ language }) => language === 'sh').map((block) => block.code)
    const jwks = `curl -sf --cacert cert.pem https://localhost:${port}/oauth/jwks`
    const wait = `node app.mjs & trap "kill $!" EXIT; ${untilItSucceeds(jwks)}`
    const { stdout } = await inShell(sandbox.folder, commands.replace('node app.mjs', wait), {
      FLEET_SECRET: 'f'.repeat(32),
    })
    expect(stdout).toMatch(/"keys":\[/)
  }, 60_000)
})

describe('docs/guides/production.md', () => {
  itInAll(
    'starts with what its commands make',
    async () => {
      const blocks = codeBlocks('docs/guides/production.md')
      const [program = ''] = blocks.filter(({ language }) => language === 'ts').map(({ code }) => code)
      const [commands = ''] = blocks.filter(({ language }) => language === 'sh').map(({ code }) => code)
      sandbox.write('production.mjs', `${javaScript(program, 'es6')}\nconsole.log(typeof keys.router)\n`)
      const { stdout } = await inShell(sandbox.folder, `${commands}\nnode production.mjs`)
      // keygen prints where it has written the signing key.
      expect(stdout).toMatch(/^\{"file":"signing-key\.pem",.*\}\nfunction\n$/)
    },
    60_000,
  )
})

describe('README.md', () => {
  const text = readText('README.md')

  it('has at most 8 KB', () => {
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(8192)
  })

  it('shows the first success within 60 lines', () => {
    const lines = text.split('\n')
    expect(lines.findIndex((line) => line.startsWith('{"owner"'))).toBeLessThan(60)
  })

  it('has two commands for a clone', () => {
    const blocks = codeBlocks('README.md').filter(({ heading }) => heading === 'Try it in a clone')
    expect(blocks.map(({ code }) => code)).toEqual(['npm run demo\n', 'npm test\n'])
  })

  it('has a table with four rows to choose from', () => {
    const [, choice = ''] = text.split('## Which way to redeem?')
    expect(choice.split('\n## ')[0]?.match(/^\| (?!You want)[^-]/gm)).toHaveLength(4)
  })
})
