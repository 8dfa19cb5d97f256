import { hashSecret, memoryStore, type ProvisioningOptions } from '../../../lib/index.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import { gate } from '../../support/redeeming.js'
import { manage, registerClient, update } from '../../support/registering.js'
import { askForKey, send } from '../../support/requests.js'
import { CLIENT, type RunningServer, SECRET, startServer } from '../../support/server.js'

/** A slow registry, so that requests overlap. */
async function slowRegistry() {
  const inner = memoryClientRegistry([])
  await inner.save({
    clientId: CLIENT,
    revision: 1,
    secretHash: hashSecret(SECRET),
    authenticationMethods: ['client_secret_basic'],
    policy: { subjects: ['device:*'] },
  })
  let hold: { id: string; wait: () => Promise<void> } | undefined
  const registry = {
    ...inner,
    delay: 0,
    /** Holds the next answer about a client. Resolves to the function that releases this answer. */
    holdNext: (id: string) =>
      new Promise<() => void>((reached) => {
        const wait = () => new Promise<void>((release) => reached(() => release()))
        hold = { id, wait }
      }),
    /** Holds the next answers until so many have been requested. */
    together(count: number) {
      const all = gate()
      let asked = 0
      registry.meet = () => {
        asked += 1
        if (asked === count) all.open()
        return all.opened
      }
    },
    meet: (): Promise<void> => Promise.resolve(),
    find: async (id: string) => {
      const found = await inner.find(id)
      await registry.meet()
      const { wait } = hold?.id === id ? hold : { wait: undefined }
      if (wait !== undefined) hold = undefined
      await (wait?.() ?? new Promise((resolve) => setTimeout(resolve, registry.delay)))
      return found
    },
  }
  return registry
}

async function withServer(
  test: (server: RunningServer, registry: Awaited<ReturnType<typeof slowRegistry>>) => Promise<void>,
  options: Partial<ProvisioningOptions> = {},
) {
  const registry = await slowRegistry()
  const server = await startServer({ options: { clients: registry, ...options } })
  try {
    await test(server, registry)
  } finally {
    await server.close()
  }
}

describe('requests that meet', () => {
  test('two updates: one holds, the other is told plainly', () =>
    withServer(async (server, registry) => {
      const client = await registerClient(server)
      registry.together(3)
      const answers = await Promise.all(
        ['a', 'b', 'c'].map((client_name) => update(server, client, { client_name })),
      )
      const won = answers.filter(({ status }) => status === 200)
      const lost = answers.filter(({ status }) => status === 409)
      expect([won.length, lost.length]).toEqual([1, 2])
      expect(lost[0]?.body).toEqual({
        error: 'invalid_request',
        error_description: expect.stringMatching(/changed by another request/),
      })
      const { body } = await manage(server, 'get', client).expect(200)
      expect(body.client_name).toBe(won[0]?.body.client_name)
    }))

  test('an update and a deletion: nobody is left', () =>
    withServer(async (server, registry) => {
      for (let round = 0; round < 4; round++) {
        const client = await registerClient(server)
        registry.delay = 20
        const [updated, deleted] = await Promise.all([
          update(server, client, { client_name: 'x' }),
          manage(server, 'delete', client),
        ])
        registry.delay = 0
        expect([200, 401, 409]).toContain(updated.status)
        expect(deleted.status).toBe(204)
        expect(await registry.find(client.client_id)).toBeUndefined()
      }
    }))

  test('deletions: all of them succeed or find nobody', () =>
    withServer(async (server, registry) => {
      const client = await registerClient(server)
      registry.delay = 20
      const answers = await Promise.all([1, 2, 3].map(() => manage(server, 'delete', client)))
      for (const { status } of answers) expect([204, 401]).toContain(status)
      expect(answers.some(({ status }) => status === 204)).toBe(true)
      expect(server.events.filter(({ type }) => type === 'client.deleted')).toHaveLength(1)
    }))

  test('a deletion and the issue of a key: no key is left that works', async () => {
    const clock = { seconds: Math.floor(Date.now() / 1000) }
    const now = () => clock.seconds * 1000
    await withServer(
      async (server, registry) => {
        for (const later of [0, 3600]) {
          const client = await registerClient(server, { scope: 'devices:read' })
          const credentials = { id: client.client_id, secret: client.client_secret }
          const reached = registry.holdNext(client.client_id)
          const asked = askForKey(server, {}, credentials).then((response) => response)
          // Issuance has found its client, which is deleted now, and records its key afterwards.
          const release = await reached
          await manage(server, 'delete', client).expect(204)
          clock.seconds += later
          release()
          const { status, body } = await asked
          if (later === 0) expect([status, body.error]).toEqual([503, 'temporarily_unavailable'])
          else expect([status, body.error]).toEqual([401, 'invalid_client'])
          expect(server.events.filter(({ type }) => type === 'key.redeemed')).toHaveLength(
            later === 0 ? 1 : 2,
          )
          const keys = server.events.filter(({ type }) => type === 'key.issued')
          expect(keys.map((event) => ('clientId' in event ? event.clientId : ''))).not.toContain(
            client.client_id,
          )
        }
      },
      { now, store: memoryStore({ now }) },
    )
  })

  test('a token that is misused while its client is updated is revoked all the same', () =>
    withServer(async (server, registry) => {
      const [one, other] = [await registerClient(server), await registerClient(server)]
      registry.delay = 20
      const mixed = { ...other, registration_access_token: one.registration_access_token }
      await Promise.all([update(server, one, { client_name: 'x' }), manage(server, 'get', mixed)])
      registry.delay = 0
      await manage(server, 'get', one).expect(401)
      await send(server, 'get', '/oauth/register/x').expect(401)
    }))
})
