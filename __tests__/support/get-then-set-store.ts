import type {
  KeyEntry,
  KeyRef,
  ListingStore,
  MonitoringStore,
  ProvisioningStore,
} from '../../lib/ports/store.js'

type SendCommand = (command: [string, ...string[]]) => Promise<unknown>
/** The time between the read and the write with a busy Redis on another machine. */
const BETWEEN_MILLISECONDS = 100

type Kept = KeyEntry & { readonly attempt?: string }

/**
 * A store as many recipes have it: each verb reads, decides, and writes. It fails when two requests overlap.
 *
 * The workers of the fault tests load it instead of `redisStore()`. The tests must detect it.
 */
export function storeOver(sendCommand: SendCommand): ProvisioningStore {
  const nameOf = ({ clientId, jti }: KeyRef) => `recipe:${clientId}:${jti}`
  const get = async (ref: KeyRef): Promise<Kept | undefined> => {
    const text = await sendCommand(['GET', nameOf(ref)])
    return typeof text === 'string' ? JSON.parse(text) : undefined
  }
  const set = (ref: KeyRef, entry: Kept) =>
    sendCommand(['SET', nameOf(ref), JSON.stringify(entry), 'PX', '600000'])
  const move = (ref: KeyRef, entry: Kept) => set(ref, { ...entry, changedAt: Date.now() / 1000 })

  return {
    async record(key) {
      if ((await get(key)) !== undefined) return 'duplicate'
      await set(key, { ...key, state: 'issued', changedAt: key.issuedAt, familyRevoked: false })
      return 'recorded'
    },
    find: get,
    async redeem(ref, attempt) {
      const entry = await get(ref)
      if (entry === undefined) return 'unknown'
      if (entry.state !== 'issued') return entry.state
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_MILLISECONDS))
      await move(ref, { ...entry, state: 'redeeming', attempt })
      return 'reserved'
    },
    async settle(ref) {
      const entry = await get(ref)
      if (entry === undefined) return 'unknown'
      if (entry.state === 'revoked') return 'revoked'
      await move(ref, { ...entry, state: 'redeemed' })
      return 'settled'
    },
    async release(ref) {
      const entry = await get(ref)
      if (entry === undefined) return 'unknown'
      await move(ref, { ...entry, state: 'issued' })
      return 'released'
    },
    async revoke(ref) {
      const entry = await get(ref)
      if (entry === undefined) return 'unknown'
      await move(ref, { ...entry, state: 'revoked' })
      return 'revoked'
    },
    recall: async () => undefined,
    revokeFamily: async () => 'unchanged',
    revokeIssuedBefore: async () => 'unchanged',
    async useOnce(id) {
      const name = `recipe:once:${id}`
      if ((await sendCommand(['GET', name])) !== null) return 'used'
      await sendCommand(['SET', name, '1', 'PX', '600000'])
      return 'first'
    },
    ...unmonitored(),
  }
}

/** The recipes know no monitoring and no lists: nobody is locked, and nothing is remembered. */
function unmonitored(): MonitoringStore & ListingStore {
  return {
    notePresentation: async () => ({ outcome: 'unknown', networks: 0 }),
    lock: () => Promise.reject(new Error('This store has no locks.')),
    unlock: async () => 'unknown',
    locks: async () => [],
    noteFinding: async (finding) => ({ finding, isOpened: true }),
    findings: async () => [],
    closeFinding: async () => 'unknown',
    noteUse: async () => undefined,
    lastUses: async () => [],
    unusedSince: async () => [],
    listKeys: async () => ({ keys: [] }),
    countKeys: async () => ({ issued: 0, redeeming: 0, redeemed: 0, revoked: 0, expired: 0 }),
    listUses: async () => ({ uses: [] }),
  }
}
