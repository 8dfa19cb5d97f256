import { withoutUndefined } from '../base/object.js'
import { object, oneOf, parse, required, whole } from '../base/schema.js'
import type { BindingRef } from '../clients/bindings.js'
import { findClient } from '../clients/registry.js'
import type { LockOptions } from '../operations/monitoring-operations.js'
import { callStore } from '../ports/deployment.js'
import { MOST_LISTED } from '../ports/listing.js'
import { LOCK_KINDS } from '../ports/lock.js'
import type { ClientUse, Lock } from '../ports/store.js'
import { type Action, act } from './act.js'
import type { Call } from './call.js'
import {
  aClientId,
  anId,
  type ListQuery,
  listMembers,
  pageOf,
  readNothing,
  searchPages,
} from './parameters.js'
import { Problem } from './problem.js'

const readClientsQuery = object<ListQuery & { readonly clientId?: string; readonly search?: string }>({
  clientId: aClientId,
  search: aClientId,
  ...listMembers,
})
const readClientName = object<{ readonly clientId: string }>({ clientId: required(aClientId) })
const readBindingName = object<BindingRef>({ clientId: required(aClientId), bindingId: required(anId) })
const readLock = object<Omit<LockOptions, 'author'>>({
  clientId: required(aClientId),
  reason: required(anId),
  kind: oneOf(LOCK_KINDS),
  lockSeconds: whole(1, 31_536_000, ' seconds'),
})

/** Lists the clients that were used, the last used first, or finds some by a part of their ids, or one by its id. */
export async function listClients(call: Call): Promise<object> {
  const { clientId, search, ...list } = parse(readClientsQuery, call.parameters, '')
  const { store } = call.context.config.deployment
  const locks = await callStore(() => store.locks())
  if (clientId !== undefined) return { items: await oneClient(call, clientId, locks) }
  const wanted = search?.toLowerCase()
  const { items, next } = await searchPages<ClientUse>(pageOf(list), {
    async read(query) {
      const { uses, ...page } = await store.listUses(query)
      return { ...page, items: uses }
    },
    matches: (use) => wanted === undefined || use.clientId.toLowerCase().includes(wanted),
    ...(wanted !== undefined && { size: MOST_LISTED }),
  })
  return withoutUndefined({ items: items.map((use) => clientView(use, locks)), next })
}

async function oneClient({ context }: Call, clientId: string, locks: readonly Lock[]): Promise<object[]> {
  const { deployment } = context.config
  const [uses, client] = await Promise.all([
    callStore(() => deployment.store.lastUses(clientId)),
    findClient(deployment, clientId),
  ])
  const [latest] = [...uses].sort((one, other) => other.lastUsedAt - one.lastUsedAt)
  const view = clientView(latest ?? { clientId }, locks)
  return client === undefined && uses.length === 0 && view.locks.length === 0 ? [] : [view]
}

function clientView(use: Pick<ClientUse, 'clientId'> & Partial<ClientUse>, locks: readonly Lock[]) {
  const { clientId, lastUsedAt, network } = use
  const own = locks.filter((lock) => lock.clientId === clientId)
  return { ...withoutUndefined({ clientId, lastUsedAt, network }), locks: own }
}

/** Lists the bindings of a client with their last uses. */
export async function listBindings({ context, parameters }: Call): Promise<object> {
  const { clientId } = parse(readClientName, parameters, '')
  const { operations } = context
  const [bindings, uses] = await Promise.all([
    operations.listBindings(clientId),
    operations.lastUses(clientId),
  ])
  const items = bindings.map(({ bindingId, boundAt, keyId, flaggedAt, confirmation }) => {
    const { lastUsedAt, network } = uses.find((use) => use.bindingId === bindingId) ?? {}
    const kind = confirmation.jkt === undefined ? 'certificate' : 'jwk'
    return withoutUndefined({ bindingId, kind, boundAt, keyId, flaggedAt, lastUsedAt, network })
  })
  return { items }
}

export async function revokeBinding(call: Call): Promise<object> {
  const binding = parse(readBindingName, call.parameters, '')
  const missing = new Problem(404, 'The client has no such binding.')
  const revoke: Action = (operations) => operations.revokeBinding(binding)
  return act(call, { action: 'revoke_binding', ...binding }, revoke, missing)
}

export async function listLocks({ context, parameters }: Call): Promise<object> {
  parse(readNothing, parameters, '')
  const items = await context.operations.locks()
  return { items: [...items].sort((a, b) => b.lockedAt - a.lockedAt) }
}

export async function lockClient(call: Call): Promise<object> {
  const lock = parse(readLock, call.parameters, '')
  return act(call, { action: 'lock_client', clientId: lock.clientId }, (operations, author) =>
    operations.lockClient({ ...lock, author }),
  )
}

export async function unlockClient(call: Call): Promise<object> {
  const { clientId } = parse(readClientName, call.parameters, '')
  const missing = new Problem(404, 'The client is not locked.')
  const unlock: Action = (operations, author) => operations.unlockClient({ clientId, author })
  return act(call, { action: 'unlock_client', clientId }, unlock, missing)
}

export async function deleteClient(call: Call): Promise<object> {
  const { clientId } = parse(readClientName, call.parameters, '')
  const missing = new Problem(404, 'There is no such client.')
  const action = { action: 'delete_client', clientId } as const
  return act(call, action, (operations) => operations.deleteClient(clientId), missing)
}
