import { deadline, isInTime } from '../base/deadline.js'
import type { ClientRegistry } from '../ports/client.js'
import type { ProvisioningStore } from '../ports/store.js'
import { wrapVerbs } from '../ports/store-verbs.js'

/*
 * Time limits for a store and a registry of the host: a request waits for each call, and its key may be reserved. Our own
 * adapters have their own limits. A call that rejects here may still take place later, as after any lost answer.
 */

/** Limits the time of each verb, except of `countKeys`: the administration gives it more time, and calls it once at a time. */
export function storeInTime(store: ProvisioningStore): ProvisioningStore {
  if (isInTime(store)) return store
  const inTime = deadline({ who: 'The store' })
  const verbs = wrapVerbs(store, (call, verb) =>
    verb === 'countKeys' ? call : (...given) => inTime(() => call(...given)),
  )
  return {
    ...verbs,
    redeem: (ref, attempt, lease) =>
      inTime(
        () => store.redeem(ref, attempt, lease),
        // The request was refused, so its attempt does not begin. Otherwise nobody could use the key any more.
        (late) => RESERVED.includes(late) && verbs.release(ref, attempt).catch(() => undefined),
      ),
  }
}

const RESERVED: readonly string[] = ['reserved', 'resumed']

export function registryInTime(registry: ClientRegistry): ClientRegistry {
  if (isInTime(registry)) return registry
  const inTime = deadline({ who: 'The registry' })
  return {
    find: (clientId) => inTime(() => registry.find(clientId)),
    save: (client) => inTime(() => registry.save(client)),
    delete: (clientId, revision) => inTime(() => registry.delete(clientId, revision)),
  }
}
