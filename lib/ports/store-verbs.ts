import type { ProvisioningStore } from './store.js'

/** All verbs of a store. The compiler rejects a list without one of them. */
export const STORE_VERBS = Object.freeze(
  Object.keys({
    record: 1,
    find: 1,
    redeem: 1,
    recall: 1,
    settle: 1,
    release: 1,
    revoke: 1,
    revokeFamily: 1,
    revokeIssuedBefore: 1,
    useOnce: 1,
    notePresentation: 1,
    lock: 1,
    unlock: 1,
    locks: 1,
    noteFinding: 1,
    findings: 1,
    closeFinding: 1,
    noteUse: 1,
    lastUses: 1,
    unusedSince: 1,
    listKeys: 1,
    countKeys: 1,
    listUses: 1,
  } satisfies Record<keyof ProvisioningStore, 1>) as (keyof ProvisioningStore)[],
)

type AnyVerb = (...given: unknown[]) => Promise<unknown>

/** A store that does the same as another one, and something more in each verb. */
export function wrapVerbs(
  store: ProvisioningStore,
  wrap: (call: AnyVerb, verb: keyof ProvisioningStore) => AnyVerb,
): ProvisioningStore {
  const verbs = store as unknown as Readonly<Record<keyof ProvisioningStore, AnyVerb>>
  const wrapped = STORE_VERBS.map((verb) => [verb, wrap((...given) => verbs[verb](...given), verb)])
  return Object.freeze(Object.fromEntries(wrapped) as ProvisioningStore)
}
