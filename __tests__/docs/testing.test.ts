import { generateKeyPairSync } from 'node:crypto'
import type { Express } from 'express'
import * as testing from '../../lib/testing/testing.js'
import { CLIENT, honest, hostWith } from '../support/broken-host.js'
import { itInAll } from '../support/scale.js'
import { codeUnder, readText } from './markdown'
import { runCode } from './run-code'

const GUIDE = 'docs/guides/testing.md'

const signingKey = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
}).privateKey

/** Runs code of the guide, and returns the tests that it declares. */
function testsIn(heading: string, globals: object = {}) {
  const tests = new Map<string, () => Promise<void>>()
  const test = (title: string, body: () => Promise<void>) => void tests.set(title, body)
  const modules = {
    'express-provisioning-keys/testing': testing,
    'node:test': { test },
    './app.js': { createApp },
  }
  const exported = runCode<Record<string, (...given: unknown[]) => Promise<void>>>(
    codeUnder(GUIDE, heading),
    {
      modules,
      globals,
    },
  )
  return { tests, exported }
}

/** The app of the guide, with secrets of this test. */
function createApp(options: object) {
  const env = {
    SIGNING_KEY: signingKey,
    FLEET_SECRET: CLIENT.clientSecret,
  }
  const process = { env }
  const { exported } = testsIn('Prepare your app', { process })
  return (exported['createApp'] as unknown as (given: object) => Express)(options)
}

describe('the guide for tests', () => {
  it('has tests that pass', async () => {
    const process = { env: { FLEET_SECRET: CLIENT.clientSecret } }
    const { tests } = testsIn('Write the tests', { process })
    expect([...tests.keys()]).toHaveLength(3)
    for (const body of tests.values()) await body()
  })

  it('calls a route with a proof', async () => {
    const { app, kit } = hostWith(honest)
    const { exported } = testsIn('Keys and access tokens', { app })
    await exported['createWithProof']?.(kit)
  })

  it('finds a key in lines of a log', async () => {
    const { kit } = hostWith(honest)
    const { exported } = testsIn('Secrets in logs')
    const lines = [`key ${await kit.testKey({ scope: 'devices:create' })}`]
    await exported['searchLogs']?.(kit, [], async () => undefined)
    await expect(exported['searchLogs']?.(kit, lines, async () => undefined)).rejects.toThrow(
      'captured[1][0] contains',
    )
  })

  itInAll('tests an API in another process', async () => {
    const { tests } = testsIn('An API in another process')
    await tests.get('refuses attacks')?.()
  })

  it('lists every attack', () => {
    const table = readText(GUIDE).split('\n## Attacks\n')[1]?.split('The argument `route`')[0] ?? ''
    const cells = table
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.split('|')[1] ?? '')
    const listed = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name))
    const { attacks } = hostWith(honest).kit
    expect(listed.sort()).toEqual(
      Object.keys(attacks)
        .filter((name) => name !== 'all')
        .sort(),
    )
  })
})
