import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express from 'express'
import * as library from '../../lib/index'
import { runHere } from '../cli/command-line'
import { freePort } from '../support/free-port'
import { runProgram, TYPESCRIPT } from '../support/run-program'
import { codeUnder, ROOT } from './markdown'
import { runCode } from './run-code'

const PAGE = 'docs/guides/staging.md'
const SECRET = 's'.repeat(32)

interface Example {
  readonly staging: library.ClientOptions
  readonly monitoring: { readonly exempt: { readonly clients: string[]; readonly networks: string[] } }
}

/** The deployment of the page, whose webhook only notes its events. */
async function startDeployment() {
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const sent: library.ProvisioningEvent[] = []
  const all: library.ProvisioningEvent[] = []
  const env = { STAGING_SECRET: SECRET }
  const client = `${codeUnder(PAGE, 'The test client')}\nexport { staging }`
  const { staging } = runCode<Example>(client, { globals: { process: { env } } })
  let observer: (event: library.ProvisioningEvent) => void = () => undefined
  const { monitoring } = runCode<Example>(codeUnder(PAGE, 'Without false alarms'), {
    modules: {
      'express-provisioning-keys/notifications': {
        webhook: () => ({ observer: (event: library.ProvisioningEvent) => sent.push(event) }),
      },
    },
    globals: { keys: { on: (_type: string, given: typeof observer) => (observer = given) } },
  })
  const { clients } = monitoring.exempt
  const keys = library.provisioningKeys({
    issuer: origin,
    audience: origin,
    signingKeys: library.generateSigningKeys(),
    policy: { scopes: ['provision:token', 'devices:read'] },
    clients: [staging],
    // The page has the address of another machine.
    monitoring: { exempt: { clients, networks: ['127.0.0.1/32', '::1/128'] } },
  })
  keys.on('*', (event) => all.push(event))
  keys.on('*', (event) => observer(event))
  const server = express().use(keys.router()).use(keys.errorHandler()).listen(port)
  await once(server, 'listening')
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  return { origin, sent, all, close }
}

describe('docs/guides/staging.md', () => {
  it('shows what the command check prints', () => {
    const program = [...TYPESCRIPT, 'scripts/staging-page.ts']
    expect(runProgram(process.execPath, program, { cwd: ROOT })).toMatchObject({ status: 0, stderr: '' })
  })

  it('lets nobody be alarmed by the test client', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'staging-'))
    const { origin, sent, all, close } = await startDeployment()
    try {
      const secret = join(folder, 'secret')
      writeFileSync(secret, SECRET)
      const { ending } = await runHere(['check', origin, '--client-id', 'staging', '--secret-file', secret])
      expect(ending).toBe(0)
      const countOf = (type: string) => all.filter((event) => event.type === type).length
      expect(countOf('key.replayed')).toBeGreaterThanOrEqual(20)
      expect(countOf('finding.opened')).toBe(0)
      // By default, a webhook sends events of this severity, and findings.
      const alarms = sent.filter(({ type, severity }) => severity === 'high' || type === 'finding.opened')
      expect(alarms).toEqual([])
    } finally {
      close()
      rmSync(folder, { recursive: true })
    }
  }, 60_000)
})
