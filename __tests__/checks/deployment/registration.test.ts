import { SECRET } from '../../support/server.js'
import { type Breakage, SCOPES, startDeployment } from './broken-deployment.js'
import { check, clientsOf, idsWith } from './run.js'

const ALL_CHECKS = [
  'register-works',
  'register-authenticates',
  'register-read',
  'register-once',
  'register-containment',
]

/** Runs checks of one deployment, which ends then. Also returns the clients that the deployment has at the end. */
async function checkOnce(breakage: Breakage, only: readonly string[] = ['registration']) {
  const running = await startDeployment(breakage)
  const run = await check(running.settings, { only })
  await running.close()
  return run
}

const TESTER = {
  clientId: 'tester',
  clientSecret: SECRET,
  policy: { scopes: [...SCOPES, 'provision:register'], defaultScopes: SCOPES, subjects: ['device:*'] },
}

/** The test client, with another policy. */
const client = (policy: object): Breakage => ({
  options: { clients: [{ ...TESTER, policy: { ...TESTER.policy, ...policy } }] },
})

const policies = (refuse: string): Breakage => ({
  options: {
    policy: { scopes: [...SCOPES, 'provision:register'], registrationPolicies: ['named'] },
    registration: { policies: { named: () => ({ refuse }) } },
  },
})

const isDeletion = ({ request }: { readonly request: { readonly method: string } }) =>
  request.method === 'DELETE'

describe('the checks of a registration', () => {
  it.each<[string, Breakage]>([
    ['bearer keys', client({})],
    ['bound keys', client({ senderConstraint: 'dpop' })],
    ['keys of a subject', { settings: { subject: 'device:real' } }],
    ['confirmations', client({ confirmWithinSeconds: 60 })],
  ])('pass for a client with %s, and leave no client', async (_, breakage) => {
    const { results, deployment } = await checkOnce(breakage)
    expect(idsWith(results, 'passed')).toEqual(expect.arrayContaining(ALL_CHECKS))
    expect(clientsOf(deployment)).toEqual([])
    expect(deployment.registered?.clientId).not.toBe('device:real')
  })

  it('delete the client even if only its registration is checked', async () => {
    const { results, deployment } = await checkOnce({}, ['register-works'])
    expect(idsWith(results, 'passed')).toEqual(['register-works'])
    expect(clientsOf(deployment)).toEqual([])
    expect(deployment.exchanges.filter(isDeletion).map(({ status }) => status)).toEqual([204])
  })

  it('let the server delete the client with a replay if it has no registration_client_uri', async () => {
    const withoutUri: Breakage = {
      answer: ({ text }) => ({ text: text.replace('registration_client_uri', 'elsewhere') }),
    }
    const { results, deployment } = await checkOnce(withoutUri, ['register-works', 'register-read'])
    expect(idsWith(results, 'skipped')).toEqual(['register-read'])
    expect(clientsOf(deployment)).toEqual([])
    expect(deployment.exchanges.filter(isDeletion)).toEqual([])
  })

  it('send the registration access token to no other server', async () => {
    const elsewhere: Breakage = {
      answer: ({ text }) => ({
        text: text.replace(/"registration_client_uri":"https:..localhost:\d+/, '$&1'),
      }),
    }
    const { results, deployment } = await checkOnce(elsewhere, ['register-read'])
    const reason = 'the answer has no registration_client_uri at the server of the registration endpoint'
    expect(results.find(({ id }) => id === 'register-read')).toMatchObject({ outcome: 'skipped', reason })
    expect(clientsOf(deployment)).toEqual([])
  })

  it('name a client that the server keeps after a replay', async () => {
    const { results, deployment } = await checkOnce(client({ onReplay: 'flag' }))
    expect(idsWith(results, 'failed')).toEqual(['register-containment'])
    expect(clientsOf(deployment)).toEqual([deployment.registered?.clientId])
  })

  it.each<[string, Breakage, string]>([
    [
      'the test client may not register clients',
      client({ scopes: SCOPES }),
      'the test client may not register clients: its policy lacks provision:register',
    ],
    [
      'the deployment has no endpoint for them',
      { options: { clients: async () => TESTER } },
      'the metadata have no registration_endpoint',
    ],
    [
      'a policy of the deployment refuses their metadata',
      policies('Send a serial number.'),
      'the deployment refuses the metadata of the checks: Send a serial number.',
    ],
  ])('are skipped if %s', async (_, breakage, reason) => {
    const { results } = await checkOnce(breakage)
    expect(idsWith(results, 'skipped')).toEqual(expect.arrayContaining(ALL_CHECKS))
    expect(results.find(({ id }) => id === 'register-works')?.reason).toBe(reason)
  })
})
