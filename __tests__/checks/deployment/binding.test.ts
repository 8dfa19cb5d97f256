import { SECRET } from '../../support/server.js'
import { type Breakage, SCOPES, startDeployment } from './broken-deployment.js'
import { check, clientsOf, idsWith } from './run.js'

const ALL_CHECKS = ['bind-works', 'bind-authenticates', 'bind-once', 'bind-containment']

/** Runs checks of one deployment, which ends then. */
async function checkOnce(breakage: Breakage, only: readonly string[] = ['binding']) {
  const running = await startDeployment(breakage)
  const run = await check(running.settings, { only })
  await running.close()
  return run
}

const TESTER = {
  clientId: 'tester',
  clientSecret: SECRET,
  policy: { scopes: [...SCOPES, 'provision:bind'], defaultScopes: SCOPES, subjects: ['device:*'] },
}

/** The test client, with another policy. */
const client = (policy: object): Breakage => ({
  options: { clients: [{ ...TESTER, policy: { ...TESTER.policy, ...policy } }] },
})

describe('the checks of a device', () => {
  it.each<[string, object]>([
    ['bearer keys', {}],
    ['bound keys', { senderConstraint: 'dpop' }],
  ])('pass for a client with %s, and leave no device', async (_, policy) => {
    const { results, deployment } = await checkOnce(client(policy))
    expect(idsWith(results, 'passed')).toEqual(expect.arrayContaining(ALL_CHECKS))
    expect(clientsOf(deployment)).toEqual([])
  })

  it('leave no device even if only its enrollment is checked', async () => {
    const { results, deployment } = await checkOnce({}, ['bind-works'])
    expect(idsWith(results, 'passed')).toEqual(['bind-works'])
    expect(clientsOf(deployment)).toEqual([])
    expect(deployment.exchanges.map(({ json }) => json['error'])).toContain('invalid_client')
  })

  it('name a device that the server does not delete', async () => {
    const { results, deployment } = await checkOnce(client({ onReplay: 'flag' }))
    expect(idsWith(results, 'failed')).toEqual(['bind-containment'])
    expect(clientsOf(deployment)).toEqual([expect.stringMatching(/^device:check-[0-9a-f]{12}$/)])
  })

  it.each<[string, Breakage, string]>([
    [
      'no name of a device is given',
      { settings: { devicePrefix: undefined } },
      'there is no test device; allow some with --device-prefix',
    ],
    [
      'the deployment has no endpoint for them',
      { options: { clients: async () => TESTER } },
      'the metadata have no provisioning_binding_endpoint',
    ],
  ])('are skipped if %s', async (_, breakage, reason) => {
    const { results } = await checkOnce(breakage)
    expect(idsWith(results, 'skipped')).toEqual(expect.arrayContaining(ALL_CHECKS))
    expect(results.find(({ id }) => id === 'bind-works')?.reason).toBe(reason)
  })

  it('say what the test client lacks', async () => {
    const { results } = await checkOnce(client({ scopes: SCOPES }))
    const found = results.find(({ id }) => id === 'bind-works')
    expect([found?.outcome, found?.actual]).toEqual([
      'failed',
      `status 400, invalid_scope: scope: expected only ${SCOPES.join(', ')}.`,
    ])
  })
})
