import type { ProvisioningEvent, ProvisioningOptions } from '../../../lib/index.js'
import { aClock } from '../../support/clock.js'
import { until } from '../../support/redeeming.js'
import { manage, registerClient } from '../../support/registering.js'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import { AUDIENCE, type RunningServer, SECRET, startServer, workingOptions } from '../../support/server.js'

const CANARY = 'canary'
const SCOPE = { scope: 'provision:token devices:read' }
const REGISTERED = 'device:canary'

async function withCanary(
  test: (server: RunningServer) => Promise<void>,
  overrides: Partial<ProvisioningOptions> = {},
): Promise<void> {
  const { clients } = workingOptions()
  const reader = { introspectAudiences: [AUDIENCE] }
  const options: Partial<ProvisioningOptions> = {
    clients: [
      ...(clients as never[]),
      { clientId: CANARY, clientSecret: SECRET },
      { clientId: 'api', clientSecret: SECRET, policy: reader },
    ],
    monitoring: { canaries: [CANARY, REGISTERED] },
    ...overrides,
  }
  const server = await startServer({ options })
  await test(server).finally(() => server.close())
}

function usesIn({ events }: RunningServer) {
  return events.filter((event) => event.type === 'canary.used')
}

/** Waits for the finding about a canary. */
async function findingIn({ events }: RunningServer, clientId = CANARY): Promise<ProvisioningEvent> {
  const isWanted = (event: ProvisioningEvent) =>
    event.type === 'finding.opened' && event.rule === 'canary' && event.subject === `client:${clientId}`
  await until(() => events.some(isWanted))
  return events.find(isWanted) as ProvisioningEvent
}

const ASK: Readonly<Record<string, string>> = { grant_type: 'client_credentials', scope: 'devices:read' }

/** Requests that a thief can send with the secret of a client. */
const REQUESTS = [
  ['token', '/oauth/token', ASK, 200],
  ['token', '/oauth/token', { ...ASK, scope: 'no-such-scope' }, 400],
  ['introspect', '/oauth/introspect', { token: 'x'.repeat(27) }, 200],
  ['introspect', '/oauth/introspect', {}, 400],
  ['revoke', '/oauth/revoke', { token: 'x'.repeat(27) }, 200],
  ['bindings', '/oauth/bindings', {}, 200],
  ['revoke_binding', '/oauth/bindings/revoke', { binding_id: 'x' }, 200],
] as const

describe('the secret of a canary', () => {
  it.concurrent.each(REQUESTS)('opens a finding at the endpoint %s (%s)', (endpoint, path, form, status) =>
    withCanary(async (server) => {
      await postForm(server, path, form).auth(CANARY, SECRET).expect(status)
      const source = { address: '127.0.0.1', authenticationMethod: 'client_secret_basic' }
      const used = { code: 'canary.used', severity: 'high', clientId: CANARY, endpoint, ...source }
      expect(usesIn(server)).toMatchObject([used])
      expect(JSON.stringify(usesIn(server))).not.toContain(SECRET)
      expect(await findingIn(server)).toMatchObject({ severity: 'high', evidence: 'unbound' })
    }),
  )

  it.concurrent('opens a finding if it comes with the key of another client', () =>
    withCanary(async (server) => {
      await exchangeKey(server, await obtainKey(server, SCOPE))
        .auth(CANARY, SECRET)
        .expect(400)
      expect(usesIn(server)).toMatchObject([{ clientId: CANARY, endpoint: 'token' }])
      await findingIn(server)
    }))
})

describe('the use of other clients', () => {
  it.concurrent.each(REQUESTS)(
    'emits no such event at the endpoint %s (%s)',
    (_endpoint, path, form, status) =>
      withCanary(async (server) => {
        await postForm(server, path, form).auth('bystander', SECRET).expect(status)
        expect(usesIn(server)).toEqual([])
      }),
  )

  it.concurrent('emits no such event without canaries', () =>
    withCanary(
      async (server) => {
        await postForm(server, '/oauth/bindings', {}).auth(CANARY, SECRET).expect(200)
        expect(usesIn(server)).toEqual([])
      },
      { monitoring: false },
    ))
})

describe('a canary key', () => {
  const keyOf = async (server: RunningServer): Promise<string> => {
    const { body } = await askForKey(server, SCOPE, { id: CANARY, secret: SECRET }).expect(200)
    return body.access_token
  }

  const presentations = [
    [
      'a guard',
      (server: RunningServer, key: string) => send(server, 'get', '/devices').auth(key, { type: 'bearer' }),
    ],
    ['the token endpoint', (server: RunningServer, key: string) => exchangeKey(server, key)],
    [
      'the bind endpoint',
      (server: RunningServer, key: string) =>
        send(server, 'post', '/oauth/bind').auth(key, { type: 'bearer' }),
    ],
    [
      'the registration endpoint',
      (server: RunningServer, key: string) =>
        send(server, 'post', '/oauth/register').auth(key, { type: 'bearer' }).send({}),
    ],
    [
      'introspection by an API',
      (server: RunningServer, key: string) =>
        postForm(server, '/oauth/introspect', { token: key }).auth('api', SECRET),
    ],
  ] as const

  it.concurrent.each(presentations)(
    'opens a finding at %s, also long after it has expired',
    async (_place, present) => {
      const { clock, now } = aClock()
      await withCanary(
        async (server) => {
          const key = await keyOf(server)
          for (const hours of [0, 24 * 30]) {
            clock.ahead += hours * 3_600
            const before = server.events.length
            await present(server, key)
            const caused = server.events.slice(before).filter(({ type }) => !type.startsWith('finding.'))
            expect(caused).toContainEqual(expect.objectContaining({ clientId: CANARY }))
          }
          await until(() => findingsAbout(server).length >= 2)
        },
        { now },
      )
    },
  )

  it.concurrent('is found when it is reported, and when it is used after that', () =>
    withCanary(async (server) => {
      const key = await keyOf(server)
      await postForm(server, '/oauth/leaked', { token: key }).expect(202)
      await send(server, 'get', '/devices').auth(key, { type: 'bearer' }).expect(401)
      expect(server.events).toContainEqual(
        expect.objectContaining({ reason: 'key_revoked', clientId: CANARY }),
      )
      // The events canary.used, key.issued, key.leaked and request.refused.
      await until(async () =>
        (await server.keys.findings()).some(({ rule, count }) => rule === 'canary' && count === 4),
      )
    }))
})

/** The findings of different hours about the canary. */
function findingsAbout({ events }: RunningServer) {
  return events.filter((event) => event.type === 'finding.opened' && event.rule === 'canary')
}

describe('the registration access token of a canary', () => {
  it.concurrent('opens a finding when somebody reads, changes or deletes the registration', () =>
    withCanary(async (server) => {
      const registered = await registerClient(server, undefined, { requested_subject: REGISTERED })
      await manage(server, 'get', registered).expect(200)
      await manage(server, 'delete', registered).expect(204)
      const used = { clientId: REGISTERED, endpoint: 'registration' }
      expect(usesIn(server)).toMatchObject([used, used])
      await findingIn(server, REGISTERED)
    }))
})
