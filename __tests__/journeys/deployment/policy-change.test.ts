import type { RequestHandler } from 'express'
import { memoryStore, type ProvisioningOptions } from '../../../lib/index.js'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../../support/requests'
import { AUDIENCE, CLIENT, type RunningServer, SECRET, startServer } from '../../support/server'

const SCOPES = ['provision:token', 'devices:read']
const GUARD = { scope: 'devices:read', audience: AUDIENCE }
const LOWER = { lifetimeSeconds: 60, maxLifetimeSeconds: 60, accessTokenLifetimeSeconds: 60 }
const clients = (policy = {}) => [
  { clientId: CLIENT, clientSecret: SECRET, policy: { defaultScopes: SCOPES, ...policy } },
]

/** Processes with one store and other policies. */
async function withProcesses(
  configurations: readonly Partial<ProvisioningOptions>[],
  test: (processes: readonly RunningServer[], wait: (seconds: number) => void) => Promise<void>,
): Promise<void> {
  let waited = 0
  const now = () => Date.now() + waited * 1000
  const common = { store: memoryStore({ now }), now, policy: { scopes: SCOPES } }
  const processes = await Promise.all(
    configurations.map((own) =>
      startServer({
        options: { ...common, ...own },
        mount(app, keys) {
          app.use(keys.router())
          const answer: RequestHandler = (_req, res) => void res.json({})
          app.get('/key', keys.requireProvisioningKey(GUARD), answer)
          app.get('/token', keys.requireAccessToken(GUARD), answer)
        },
      }),
    ),
  )
  try {
    await test(processes, (seconds) => {
      waited += seconds
    })
  } finally {
    for (const { close } of processes) await close()
  }
}

async function isActive(server: RunningServer, token: string): Promise<boolean> {
  const { body } = await postForm(server, '/oauth/introspect', { token }).auth(CLIENT, SECRET).expect(200)
  return body.active
}

/** A key and an access token of one process. */
async function credentialsOf(server: RunningServer): Promise<string[]> {
  const { body } = await exchangeKey(server, await obtainKey(server)).expect(200)
  return [await obtainKey(server), body.access_token]
}

describe('lower lifetimes', () => {
  it('make a process refuse the keys and tokens of processes that it replaces', () =>
    withProcesses(
      [{ clients: clients() }, { clients: clients(), policy: { scopes: SCOPES, ...LOWER } }],
      async ([before, after]) => {
        for (const credential of await credentialsOf(before as RunningServer)) {
          expect(await isActive(before as RunningServer, credential)).toBe(true)
          expect(await isActive(after as RunningServer, credential)).toBe(false)
        }
      },
    ))

  it('need two restarts, first in the policies of the clients, and then no process refuses another', () =>
    withProcesses(
      [
        { clients: clients() },
        { clients: clients(LOWER) },
        { clients: clients(LOWER), policy: { scopes: SCOPES, ...LOWER } },
      ],
      async (processes) => {
        for (const step of [1, 2]) {
          const both = processes.slice(step - 1, step + 1)
          const credentials = await Promise.all(both.map(credentialsOf))
          for (const server of both)
            for (const credential of credentials.flat()) expect(await isActive(server, credential)).toBe(true)
        }
      },
    ))
})

describe('a permission that a client has lost', () => {
  it.each([
    [
      'because its policy allows fewer scopes',
      clients({ scopes: ['provision:token'], defaultScopes: [] }),
      400,
    ],
    ['because it is no longer in the array', [{ clientId: 'other', clientSecret: SECRET }], 400],
  ])('%s, stays in its keys and tokens until you revoke them', (_, left, status) =>
    withProcesses([{ clients: clients() }, { clients: left }], async ([before, after], wait) => {
      const server = after as RunningServer
      const [key = '', token = ''] = await credentialsOf(before as RunningServer)
      const statuses = async () => {
        const ask = (path: string, credential: string) =>
          send(server, 'get', path).set('Authorization', `Bearer ${credential}`)
        return [(await ask('/key', key)).status, (await ask('/token', token)).status]
      }
      expect(await statuses()).toEqual([200, 200])
      await exchangeKey(server, key, { scope: 'devices:read' }).expect(status)
      wait(1)
      await server.keys.revokeAllIssuedBefore(new Date(Date.now() + 1000), { clientId: CLIENT })
      expect(await statuses()).toEqual([401, 401])
    }),
  )
})

describe('a client of the array `clients`', () => {
  it('that one process deletes still gets keys from another', () =>
    withProcesses([{ clients: clients() }, { clients: clients() }], async ([one, other], wait) => {
      await one?.keys.deleteClient(CLIENT)
      // Until then, the store accepts no keys of the client.
      wait(10)
      await askForKey(one as RunningServer).expect(401)
      await askForKey(other as RunningServer).expect(200)
    }))

  it('that one process locks gets no keys from another, which also refuses its keys and tokens', () =>
    withProcesses([{ clients: clients() }, { clients: clients() }], async ([one, other]) => {
      const credentials = await credentialsOf(other as RunningServer)
      await one?.keys.lockClient({ clientId: CLIENT, reason: 'removed', author: 'alice' })
      await askForKey(other as RunningServer).expect(400)
      for (const credential of credentials)
        expect(await isActive(other as RunningServer, credential)).toBe(false)
    }))
})
