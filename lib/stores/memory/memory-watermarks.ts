import type { IssuedBefore, KeyRecord, RevokeIssuedOutcome } from '../../ports/store.js'
import { type Expiring, enqueue, takeExpired } from './expiry-queue.js'

interface Watermark extends Expiring {
  /** `undefined` for the one of all identities. */
  readonly identity: string | undefined
  issuedBefore: number
}

/** What has been revoked by the time of its issue: one watermark for all, and one for each identity. */
export interface Watermarks {
  /** Raises a watermark; it is kept until `keptUntil`. At the cap it throws, and nothing is evicted. */
  raise(bound: IssuedBefore, keptUntil: number): RevokeIssuedOutcome
  covers(record: KeyRecord): boolean
  /** How often a watermark has been raised. */
  revision(): number
  forgetExpired(seconds: number): void
}

export function watermarksOf(maximum: number): Watermarks {
  const byIdentity = new Map<string | undefined, Watermark>()
  const queue: Watermark[] = []
  let revision = 0

  function isBelow(identity: string | undefined, issuedAt: number): boolean {
    const watermark = byIdentity.get(identity)
    return watermark !== undefined && issuedAt <= watermark.issuedBefore
  }

  function add(watermark: Watermark): void {
    // The one of all has a place of its own: an emergency does not wait.
    const identities = byIdentity.size - Number(byIdentity.has(undefined))
    if (identities >= maximum && watermark.identity !== undefined)
      throw new Error('the store is at its cap of revoked identities')
    byIdentity.set(watermark.identity, watermark)
    enqueue(queue, watermark)
  }

  return {
    raise({ identity, issuedBefore }, retainUntil) {
      const known = byIdentity.get(identity)
      if (known === undefined) add({ identity, issuedBefore, retainUntil, due: retainUntil })
      else known.retainUntil = Math.max(known.retainUntil, retainUntil)
      if (known !== undefined && known.issuedBefore >= issuedBefore) return 'unchanged'
      if (known !== undefined) known.issuedBefore = issuedBefore
      revision += 1
      return 'revoked'
    },
    covers: ({ clientId, subject, issuedAt }) =>
      byIdentity.size > 0 && [undefined, clientId, subject].some((identity) => isBelow(identity, issuedAt)),
    revision: () => revision,
    forgetExpired(seconds) {
      for (const { identity } of takeExpired(queue, seconds)) byIdentity.delete(identity)
    },
  }
}
