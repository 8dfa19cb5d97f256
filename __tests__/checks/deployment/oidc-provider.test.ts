import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { SECRET } from '../../support/server.js'
import { check, idsWith } from './run.js'

/** The package is an ES module only, so it runs in a process of its own. */
async function startProvider() {
  const child = spawn(process.execPath, [join(__dirname, 'oidc-provider.mjs')], {
    env: { PATH: process.env['PATH'], SECRET, NODE_NO_WARNINGS: '1' },
  })
  child.stdout.setEncoding('utf8')
  let printed = ''
  for await (const text of child.stdout) {
    printed += text
    const issuer = /^http:\S+(?=\n)/m.exec(printed)?.[0]
    if (issuer !== undefined) return { issuer, child }
  }
  throw new Error(`the provider did not start: ${printed}`)
}

it('reports the missing parts of another product, and checks the rest', async () => {
  const { issuer, child } = await startProvider()
  const { results } = await check({
    issuer,
    clientId: 'tester',
    clientSecret: SECRET,
    scope: 'api:read',
    waitSeconds: 0,
  })
  child.kill()
  expect(idsWith(results, 'failed')).toEqual([])
  expect(idsWith(results, 'warning')).toEqual([
    'discovery-parts',
    'redemption-works',
    'rate-limit',
    'headers-sniffing',
  ])
  expect(results.find(({ id }) => id === 'discovery-parts')?.actual).toBe(
    'missing: the token exchange (RFC 8693)',
  )
  const passed = idsWith(results, 'passed')
  expect(passed).toEqual(
    expect.arrayContaining(['claims-signature', 'auth-twice', 'dpop-replay', 'revocation-auth']),
  )
  expect(passed.length).toBeGreaterThan(50)
})
