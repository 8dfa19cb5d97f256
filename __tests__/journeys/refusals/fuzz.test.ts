import { Agent } from 'node:https'
import type { Express } from 'express'
import {
  type Client,
  type ClientRegistry,
  hashSecret,
  memoryStore,
  type ProvisioningKeys,
  type ProvisioningStore,
} from '../../../lib/index.js'
import { type ExactAnswer, type ExactRequest, exactly } from '../../support/exact.js'
import { holdersRequests, MARK, strangersRequests } from '../../support/fuzz.js'
import { exchangeKey, obtainKey, send } from '../../support/requests.js'
import { times } from '../../support/scale.js'
import { CLIENT, mountAll, type RunningServer, SECRET, startServer } from '../../support/server.js'

const PLACES = [
  { method: 'POST', path: '/oauth/token', kind: 'form' },
  { method: 'POST', path: '/oauth/bind', kind: 'json' },
  { method: 'POST', path: '/oauth/bindings', kind: 'form' },
  { method: 'POST', path: '/oauth/bindings/revoke', kind: 'form' },
  { method: 'POST', path: '/oauth/register', kind: 'json' },
  { method: 'POST', path: '/oauth/introspect', kind: 'form' },
  { method: 'POST', path: '/oauth/revoke', kind: 'form' },
  { method: 'POST', path: '/oauth/leaked', kind: 'json' },
  { method: 'POST', path: '/oauth/leaked', kind: 'form' },
  { method: 'GET', path: '/oauth/jwks', kind: 'form' },
  { method: 'GET', path: '/.well-known/oauth-authorization-server', kind: 'form' },
  { method: 'GET', path: '/devices', kind: 'json' },
  { method: 'POST', path: '/devices', kind: 'json' },
] as const

/** A registry and a store that record their changes. */
function watched() {
  const changes: string[] = []
  const policy = { scopes: ['provision:token', 'devices:read', 'devices:create'], subjects: ['device:*'] }
  const client: Client = {
    clientId: CLIENT,
    revision: 1,
    secretHash: hashSecret(SECRET),
    authenticationMethods: ['client_secret_basic', 'client_secret_post'],
    policy,
  }
  const registry: ClientRegistry = {
    find: async (id) => (id === CLIENT ? client : undefined),
    save: async () => changes.push('save') > 0,
    delete: async () => changes.push('delete') > 0,
  }
  const memory = memoryStore()
  const changing = ['record', 'redeem', 'settle', 'release', 'revoke', 'revokeFamily', 'useOnce'] as const
  const watching = changing.map((verb) => [
    verb,
    (...args: unknown[]) => {
      changes.push(verb)
      return (memory[verb] as (...args: unknown[]) => unknown)(...args)
    },
  ])
  const store: ProvisioningStore = { ...memory, ...Object.fromEntries(watching) }
  return { changes, options: { store, clients: registry } }
}

/** The fault of an answer to a stranger, if it has one. */
function faultOf({ method, path }: ExactRequest, { status, headers, text }: ExactAnswer): string | undefined {
  // Everybody may report, and the answer says nothing.
  if (path.split('?')[0] === '/oauth/leaked' && status === 202 && text === '') return undefined
  const isPublic = method === 'GET' && /jwks|well-known/.test(path)
  if (status < 400 && !isPublic) return `let in: ${status}`
  if (status >= 500) return `broke: ${status} ${text}`
  if (!/^application\/json/.test(headers['content-type'] ?? '')) return `no JSON: ${headers['content-type']}`
  const body: Record<string, unknown> = JSON.parse(text)
  if (status >= 400 && typeof body.error_description !== 'string') return `no description: ${text}`
  const described = String(body.error_description ?? '')
  if (!/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/.test(described)) return `characters: ${described}`
  const said = JSON.stringify([headers, text])
  if (said.includes(MARK)) return `echo: ${said}`
  if (/\bat .*\.[jt]s|node_modules|Error:/.test(said)) return `stack: ${said}`
  return undefined
}

function mount(app: Express, keys: ProvisioningKeys): void {
  mountAll(app, keys)
  app.use((_req, res) => void res.status(404).json({ error_description: 'There is nothing here.' }))
}

const AT_ONCE = 16

const COUNT = times({ all: 500, few: 30 })

async function answersTo(server: RunningServer, requests: readonly ExactRequest[]): Promise<string[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE, ca: server.cert })
  const faults: string[] = []
  const waiting = requests.values()
  // Each request starts when a connection is free. So waiting for a connection does not count as a slow answer.
  const ask = async () => {
    for (const request of waiting) {
      const fault = faultOf(request, await exactly(server, { ...request, agent }))
      if (fault !== undefined) faults.push(`${fault}\n  ${JSON.stringify(request).slice(0, 1000)}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, ask))
  agent.destroy()
  return faults
}

describe('whatever a stranger sends', () => {
  test.each(PLACES)('is refused in JSON, and changes nothing, at $method $path ($kind)', async (place) => {
    const { changes, options } = watched()
    const server = await startServer({ options, mount })
    try {
      const key = await obtainKey(server, { scope: 'provision:token devices:read devices:create' })
      const before = changes.splice(0)
      expect(before).toEqual(['record'])
      const requests = strangersRequests({ ...place, key, count: COUNT, seed: 20261124 })
      expect(await answersTo(server, requests)).toEqual([])
      expect(changes).toEqual([])
      expect(server.events.filter(({ type }) => !['key.issued', 'request.refused'].includes(type))).toEqual(
        [],
      )
      await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`).expect(200)
      await exchangeKey(server, key, { scope: 'devices:read' }).expect(200)
    } finally {
      await server.close()
    }
  })

  test.each(PLACES.filter(({ path }) => /bind|register/.test(path)))(
    'is refused in JSON, and spends no key, when it holds one, at $method $path',
    async (place) => {
      const server = await startServer({ mount })
      try {
        const key = await obtainKey(server, { scope: 'provision:bind provision:register devices:read' })
        const requests = holdersRequests({ ...place, key, count: COUNT, seed: 20261125 })
        expect(await answersTo(server, requests)).toEqual([])
        expect(server.events.filter(({ type }) => !['key.issued', 'request.refused'].includes(type))).toEqual(
          [],
        )
        await send(server, 'post', '/oauth/register')
          .set('Authorization', `Bearer ${key}`)
          .send({})
          .expect(201)
      } finally {
        await server.close()
      }
    },
  )
})
