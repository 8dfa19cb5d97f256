import { hashSecret, memoryStore, type ProvisioningOptions } from '../../../lib/index.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import { refOf } from '../../support/redeeming.js'
import { REGISTERING } from '../../support/registering.js'
import { askForKey, exchangeKey, obtainKey, send } from '../../support/requests.js'
import { CLIENT, type RunningServer, SECRET, startServer, workingOptions } from '../../support/server.js'

/** A function of the host that is silent from `fall()` to `speak()`. */
function fallible() {
  let isSilent = false
  let onCall = () => undefined as unknown
  const never = () => {
    onCall()
    return new Promise<never>(() => undefined)
  }
  return {
    fall(): Promise<void> {
      isSilent = true
      return new Promise((resolve) => {
        onCall = resolve
      })
    },
    speak() {
      isSilent = false
    },
    guard:
      <A extends unknown[], T>(call: (...given: A) => T) =>
      (...given: A) =>
        isSilent ? never() : call(...given),
  }
}

type Fallible = ReturnType<typeof fallible>

async function withServer(
  options: (host: Fallible) => Partial<ProvisioningOptions>,
  test: (server: RunningServer, host: Fallible) => Promise<void>,
) {
  const host = fallible()
  const server = await startServer({ options: options(host) })
  // Only the timers of JavaScript: those of connections are real.
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick', 'performance', 'Date'] })
  try {
    await test(server, host)
  } finally {
    jest.useRealTimers()
    await server.close()
  }
}

/** The status of a request that waits for a silent host, and the last refusal. */
async function refused(
  server: RunningServer,
  host: Fallible,
  request: () => PromiseLike<{ status: number }>,
) {
  const isSilent = host.fall()
  const response = request().then(({ status }) => status)
  await isSilent
  await jest.advanceTimersByTimeAsync(10_000)
  const status = await response
  host.speak()
  const event = server.events.findLast(({ type }) => type === 'request.refused')
  return event?.type === 'request.refused' ? [status, event.reason, event.detail] : [status]
}

const register = (server: RunningServer, key: string) =>
  send(server, 'post', '/oauth/register').set('Authorization', `Bearer ${key}`).send({ client_name: 'a' })

describe('a request that waits for a silent function of the host', () => {
  const listed = workingOptions().clients as { clientId: string }[]
  const lookup = (clientId: string) => listed.find((one) => one.clientId === clientId) as never
  const { policy = {} } = workingOptions()

  it('gets 503 if that looks up clients', () =>
    withServer(
      (host) => ({ clients: host.guard(lookup) }),
      async (server, host) => {
        expect(await refused(server, host, () => askForKey(server))).toEqual([
          503,
          'registry_unavailable',
          'The client registry failed or did not answer (The lookup function did not answer within 10 s).',
        ])
        await askForKey(server).expect(200)
      },
    ))

  it('gets 503 if that records a key', () =>
    withServer(
      (host) => {
        const memory = memoryStore()
        return { store: { ...memory, record: host.guard(memory.record) } }
      },
      async (server, host) => {
        expect(await refused(server, host, () => askForKey(server))).toEqual([
          503,
          'store_unavailable',
          'The store failed or did not answer (The store did not answer within 10 s).',
        ])
        await askForKey(server).expect(200)
      },
    ))

  it('gets 500 if that is a registration policy, and the key can be used again', () => {
    const store = memoryStore()
    return withServer(
      (host) => ({
        store,
        registration: { policies: { mine: host.guard(() => undefined) } },
        policy: { ...policy, registrationPolicies: ['mine'] },
      }),
      async (server, host) => {
        const key = await obtainKey(server, { scope: REGISTERING })
        expect(await refused(server, host, () => register(server, key))).toEqual([
          500,
          'server_fault',
          "The registration policy mine failed (TimeoutError): correct it, or return { refuse: 'why' }.",
        ])
        expect(await store.find(refOf(key))).toMatchObject({ state: 'issued' })
        expect((await register(server, key)).status).toBe(201)
      },
    )
  })

  it('gets 503 if that saves a client, and the key is released for the same registration', () => {
    const store = memoryStore()
    const registry = memoryClientRegistry([])
    return withServer(
      (host) => ({ store, clients: { ...registry, save: host.guard(registry.save) }, policy }),
      async (server, host) => {
        await registry.save({
          clientId: CLIENT,
          revision: 1,
          secretHash: hashSecret(SECRET),
          authenticationMethods: ['client_secret_basic'],
        })
        const key = await obtainKey(server, { scope: REGISTERING })
        expect((await refused(server, host, () => register(server, key))).slice(0, 2)).toEqual([
          503,
          'registry_unavailable',
        ])
        expect(await store.find(refOf(key))).toMatchObject({ state: 'issued' })
        expect((await register(server, key)).status).toBe(201)
      },
    )
  })

  it('gets 503 if that settles a key, which stays reserved: it may be settled later', () => {
    const memory = memoryStore()
    return withServer(
      (host) => ({ store: { ...memory, settle: host.guard(memory.settle) } }),
      async (server, host) => {
        const key = await obtainKey(server)
        expect((await refused(server, host, () => exchangeKey(server, key))).slice(0, 2)).toEqual([
          503,
          'store_unavailable',
        ])
        expect(await memory.find(refOf(key))).toMatchObject({ state: 'redeeming' })
      },
    )
  })
})
