import type { Client, ClientRegistry } from '../core/client.js'
import { CLIENT_AUTHENTICATION_METHODS } from '../core/client-authentication/methods.js'
import { ProvisioningError } from '../core/errors.js'
import { CLIENT_ID, type PolicyOptions } from '../core/policy.js'
import { hashSecret, isSecretHash, SHORTEST_SECRET } from '../core/secret.js'
import { memoryClientRegistry } from '../stores/memory-clients.js'
import { describe, describeSecret, type Faults, faults, isObject, join } from './faults.js'
import { judgePolicy, readPolicy } from './policy.js'

/** A client as you write it down. */
export interface ClientOptions extends Partial<Client> {
  /** 1 to 255 printable ASCII characters. */
  readonly clientId: string
  /** The client secret, at least 8 characters, better 256 random bits. It is hashed at once and kept nowhere. */
  readonly secret?: string
}

/** Looks a client up, wherever your clients live. `undefined`: there is none. */
export type ClientLookup = (
  clientId: string,
) => Promise<ClientOptions | Client | undefined> | ClientOptions | Client | undefined

const NAMES: readonly (keyof ClientOptions)[] = [
  'clientId',
  'secret',
  'secretHash',
  'secretExpiresAt',
  'authenticationMethods',
  'policy',
  'bindings',
  'metadata',
  'registeredBy',
  'revision',
]

/** A registry whose clients have been looked at, whoever wrote them down. */
export interface ReadRegistry {
  readonly registry: ClientRegistry
  readonly writable: boolean
}

/** Reads `clients`: a list, a lookup function, or a registry. */
export function readClients(
  value: unknown,
  deployment: PolicyOptions & { readonly audiences: readonly string[] },
  noted: Faults,
): ReadRegistry | undefined {
  if (Array.isArray(value)) return readList(value, deployment, noted)
  if (typeof value === 'function') return { registry: lookupRegistry(value as ClientLookup), writable: false }
  if (isObject(value) && ['find', 'save', 'delete'].every((verb) => typeof value[verb] === 'function')) {
    return { registry: checkedRegistry(value as unknown as ClientRegistry), writable: true }
  }
  noted.add(
    'clients',
    'a list of clients, a function that looks one up, or a ClientRegistry',
    describe(value),
  )
  return undefined
}

function readList(
  list: readonly unknown[],
  deployment: PolicyOptions & { readonly audiences: readonly string[] },
  noted: Faults,
): ReadRegistry {
  const seen = new Set<string>()
  const clients = list.flatMap((entry, index) => {
    const path = `clients[${index}]`
    const client = readClient(path, entry, noted)
    if (client === undefined) return []
    if (seen.has(client.clientId))
      noted.add(`${path}.clientId`, 'an id that no other client has', describe(client.clientId))
    seen.add(client.clientId)
    const policy = client.policy ?? {}
    if (policy.scopes === undefined && deployment.scopes === undefined) {
      noted.add(`${path}.policy.scopes`, 'the scopes the client may have', 'undefined')
    }
    judgePolicy(`${path}.policy`, policy, deployment, noted)
    return [client]
  })
  return { registry: memoryClientRegistry(clients), writable: true }
}

/** Reads one client; what it answers is complete, frozen and without a secret. */
function readClient(path: string, value: unknown, noted: Faults): Client | undefined {
  if (!isObject(value)) {
    noted.add(path, 'an object with a clientId', describe(value))
    return undefined
  }
  noted.addUnknownNames(path, value, NAMES)
  const { clientId, secret, secretHash, authenticationMethods: methods, policy, ...rest } = value
  if (typeof clientId !== 'string' || !CLIENT_ID.test(clientId)) {
    noted.add(join(path, 'clientId'), '1 to 255 printable ASCII characters', describe(clientId))
  }
  readSecret(path, secret, secretHash, noted)
  const fits =
    methods === undefined ||
    (Array.isArray(methods) && methods.every((one) => CLIENT_AUTHENTICATION_METHODS.includes(one)))
  if (!fits)
    noted.add(
      join(path, 'authenticationMethods'),
      `a list of ${CLIENT_AUTHENTICATION_METHODS.join(', ')}`,
      describe(methods),
    )
  const accepted = methods ?? CLIENT_AUTHENTICATION_METHODS
  if (Array.isArray(accepted) && accepted.length > 0 && secret === undefined && secretHash === undefined) {
    noted.add(join(path, 'secret'), 'a secret or a secretHash, to authenticate with', 'neither')
  }
  const hash = isLongEnough(secret) ? hashSecret(secret) : secretHash
  const read = {
    revision: 1,
    ...rest,
    clientId,
    authenticationMethods: accepted,
    policy: readPolicy(join(path, 'policy'), policy, noted),
  }
  return Object.freeze({ ...read, ...(hash !== undefined && { secretHash: hash }) }) as Client
}

function isLongEnough(secret: unknown): secret is string {
  return typeof secret === 'string' && secret.length >= SHORTEST_SECRET
}

function readSecret(path: string, secret: unknown, hash: unknown, noted: Faults): void {
  if (secret !== undefined && !isLongEnough(secret)) {
    noted.add(join(path, 'secret'), `at least ${SHORTEST_SECRET} characters`, describeSecret(secret))
  }
  if (hash !== undefined && (typeof hash !== 'string' || !isSecretHash(hash))) {
    noted.add(join(path, 'secretHash'), 'what hashSecret() makes of a secret', describeSecret(hash))
  }
  if (secret !== undefined && hash !== undefined) {
    noted.add(join(path, 'secret'), 'either a secret or a secretHash', 'both')
  }
}

/** Looks at what a lookup or a registry answers as closely as at the configuration, and lets nothing else through. */
function readFound(clientId: string, found: unknown): Client | undefined {
  if (found === undefined || found === null) return undefined
  const noted = faults()
  const client = readClient('client', found, noted)
  if (client !== undefined && client.clientId !== clientId)
    noted.add('client.clientId', describe(clientId), 'another')
  if (noted.list.length > 0)
    throw new ProvisioningError(
      'server_fault',
      `A client was found that is not valid: ${noted.list.join('; ')}`,
    )
  return client
}

function checkedRegistry(registry: ClientRegistry): ClientRegistry {
  return {
    find: async (clientId) => readFound(clientId, await registry.find(clientId)),
    save: (client) => registry.save(client),
    delete: (clientId) => registry.delete(clientId),
  }
}

function lookupRegistry(lookup: ClientLookup): ClientRegistry {
  const readOnly = () => Promise.reject(new Error('clients is a lookup function: clients cannot be saved'))
  return {
    find: async (clientId) => readFound(clientId, await lookup(clientId)),
    save: readOnly,
    delete: readOnly,
  }
}
