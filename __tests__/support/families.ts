import type { Express } from 'express'
import type { Response, Test } from 'supertest'
import type { EventType, ProvisioningEvent, ProvisioningKeys, ProvisioningOptions } from '../../lib/index.js'
import { memoryClientRegistry } from '../../lib/stores/memory/memory-clients.js'
import { callApi } from './access-tokens.js'
import { bindingBody } from './binding.js'
import { askSigned } from './bound-client.js'
import { type ClientKey, clientKey } from './client-assertion.js'
import { decodeJwt } from './forge.js'
import { signProof } from './proof.js'
import { manage, type Registered } from './registering.js'
import { askForKey, exchangeKey, obtainKey, postForm, send } from './requests.js'
import { AUDIENCE, CLIENT, ISSUER, mountAll, type RunningServer, SECRET, startServer } from './server.js'

/** The scope of a key that all endpoints accept. */
export const EVERYTHING = 'provision:token provision:bind provision:register devices:create devices:read'

/** All endpoints, a route for each way to guard it, and one behind an access token. */
function mountFamilies(app: Express, keys: ProvisioningKeys): void {
  const reader = keys.requireAccessToken({ scope: 'devices:read', audience: AUDIENCE })
  app.get('/config', reader, (req, res) => void res.json(req.accessToken))
  mountAll(app, keys)
}

export async function withFamilies(
  test: (server: RunningServer) => Promise<void>,
  options: Partial<ProvisioningOptions> = {},
): Promise<void> {
  const server = await startServer({ mount: mountFamilies, options })
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

function bearing(server: RunningServer, method: 'get' | 'post', path: string, key: string): Test {
  return send(server, method, path).set('Authorization', `Bearer ${key}`)
}

type Present = (server: RunningServer, key: string) => Test

/** Every place where a key can be presented, with a request that is correct except for its key. */
export const PLACES = {
  'the token endpoint': (server, key) => exchangeKey(server, key),
  'the bind endpoint': (server, key) => bearing(server, 'post', '/oauth/bind', key).send(bindingBody(key)),
  'the register endpoint': (server, key) => bearing(server, 'post', '/oauth/register', key).send({}),
  'a route that redeems': (server, key) => bearing(server, 'post', '/devices', key),
  'a route that leaves the key as it is': (server, key) => bearing(server, 'get', '/devices', key),
} satisfies Record<string, Present>

export type Place = keyof typeof PLACES

/** The result of one redemption. */
export interface Family {
  readonly key: string
  readonly keyId: string
  /** The client that the redemption created or changed. */
  readonly clientId?: string
  readonly answer: Response
  /** For each part of the result, whether it still works. */
  alive(): Promise<readonly boolean[]>
}

/** Starts the request that redeems a key for a family of one kind. */
export type Redeeming = (server: RunningServer, key: string) => Promise<Omit<Family, 'key' | 'keyId'>>

async function forToken(server: RunningServer, key: string) {
  const answer = await exchangeKey(server, key)
  const token = String(answer.body.access_token)
  const alive = async () => {
    const introspected = await postForm(server, '/oauth/introspect', { token }).auth(CLIENT, SECRET)
    return [(await callApi(server, token)).status === 200, introspected.body.active]
  }
  return { answer, alive }
}

async function forRegistration(server: RunningServer, key: string) {
  const answer = await bearing(server, 'post', '/oauth/register', key).send({ scope: 'devices:read' })
  const client: Registered = answer.body
  const alive = async () => {
    const credentials = { id: String(client.client_id), secret: String(client.client_secret) }
    const managed = answer.status === 201 && (await manage(server, 'get', client)).status === 200
    return [managed, (await askForKey(server, {}, credentials)).status === 200]
  }
  return { answer, clientId: client.client_id, alive }
}

/** Binds this key with a proof. */
export function bindKey(server: RunningServer, key: string, bound: ClientKey): Test {
  const proof = signProof(bound, { method: 'POST', url: `${ISSUER}/oauth/bind` }, { token: key })
  return bearing(server, 'post', '/oauth/bind', key).set('DPoP', proof)
}

async function forBinding(server: RunningServer, key: string) {
  const bound = clientKey()
  const answer = await bindKey(server, key, bound)
  const clientId = String(decodeJwt(key).payload.sub)
  const alive = async () => [(await askSigned(server, bound, clientId)).status === 200]
  return { answer, clientId, alive }
}

export const KINDS = {
  token: forToken,
  registration: forRegistration,
  binding: forBinding,
} satisfies Record<string, Redeeming>

export type Kind = keyof typeof KINDS

/** Redeems a key for a family. If that fails, the test fails. */
export async function redeemed(
  server: RunningServer,
  kind: Kind,
  form: Record<string, string> = {},
): Promise<Family> {
  const key = await obtainKey(server, { scope: EVERYTHING, ...form })
  const family = await KINDS[kind](server, key)
  if (family.answer.status > 201)
    throw new Error(`not redeemed: ${family.answer.status} ${family.answer.text}`)
  return { ...family, key, keyId: String(decodeJwt(key).payload.jti) }
}

/** The types of the events since a moment, except refusals. */
export function typesSince(server: RunningServer, since: number): EventType[] {
  return server.events.slice(since).flatMap(({ type }) => (type === 'request.refused' ? [] : [type]))
}

/** All events of a type. */
export function eventsOf<T extends EventType>(server: Pick<RunningServer, 'events'>, type: T) {
  return server.events.filter(
    (event): event is Extract<ProvisioningEvent, { type: T }> => event.type === type,
  )
}

/** A registry whose verbs a test can make fail or wait. */
export function switchedRegistry(clients: Parameters<typeof memoryClientRegistry>[0]) {
  const kept = memoryClientRegistry(clients)
  const down = new Set<'find' | 'save' | 'delete'>()
  const unless = (verb: 'find' | 'save' | 'delete') => {
    if (down.has(verb)) throw new Error('the registry is away')
  }
  return {
    kept,
    down,
    find: async (clientId: string) => {
      unless('find')
      return kept.find(clientId)
    },
    save: async (client: Parameters<typeof kept.save>[0]) => {
      unless('save')
      return kept.save(client)
    },
    delete: async (clientId: string, revision?: number) => {
      unless('delete')
      return kept.delete(clientId, revision)
    },
  }
}
