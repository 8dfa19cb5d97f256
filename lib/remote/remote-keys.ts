import { ProvisioningError } from '../base/errors.js'
import { readJwkSet } from '../jose/jwk-set.js'
import type { SigningKey, VerificationKeys } from '../jose/key-ring.js'
import type { Emit } from '../ports/events.js'
import type { FetchedJson } from './fetch-json.js'

/** For how long fetched keys are used, and how often they are asked for. */
export interface KeyCacheRules {
  /** After this time, or a shorter `max-age` of the answer, they are refreshed in the background. */
  readonly freshSeconds: number
  /** After this time without a valid answer they are no longer used. */
  readonly usableSeconds: number
  /** An unknown `kid` causes a fetch at most this often. */
  readonly cooldownSeconds: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly emit: Emit
}

interface Cached {
  readonly keys: ReadonlyMap<string, SigningKey>
  readonly at: number
  readonly freshMilliseconds: number
}

/**
 * The keys of an issuer elsewhere. Nothing is fetched before the first request asks for a key, and never more than one
 * answer at a time is waited for, however many requests there are.
 */
export function remoteKeys(fetchSet: () => Promise<FetchedJson>, rules: KeyCacheRules): VerificationKeys {
  const cooldown = rules.cooldownSeconds * 1000
  let cached: Cached | undefined
  let attempt = { endedAt: Number.NEGATIVE_INFINITY, failures: 0 }
  let fetching: Promise<void> | undefined

  // A clock that is set back must not make anything last for ever.
  const since = (then: number) => Math.abs(rules.now() - then)
  const usable = () =>
    cached !== undefined && since(cached.at) < rules.usableSeconds * 1000 ? cached.keys : undefined
  // Without any keys every request would have to be refused: then it is tried again sooner, by and by.
  const backoff = () => (attempt.failures === 0 ? 0 : Math.min(cooldown, 1000 * 2 ** (attempt.failures - 1)))

  async function fetchOnce(): Promise<void> {
    try {
      const { json, cacheControl } = await fetchSet()
      const keys = readJwkSet(json)
      if (typeof keys === 'string') throw new Error(`the answer is refused: ${keys}`)
      cached = { keys, at: rules.now(), freshMilliseconds: freshness(cacheControl, rules) * 1000 }
      attempt = { endedAt: rules.now(), failures: 0 }
    } catch (error) {
      attempt = { endedAt: rules.now(), failures: attempt.failures + 1 }
      const detail = error instanceof Error ? error.message : 'no answer'
      rules.emit('signing_keys.unavailable', { detail, usable: usable() !== undefined })
    }
  }

  function fetchAtMostOnce(): Promise<void> {
    fetching ??= fetchOnce().finally(() => {
      fetching = undefined
    })
    return fetching
  }

  function refreshStale(): void {
    const isFresh = cached !== undefined && since(cached.at) < cached.freshMilliseconds
    if (!isFresh && since(attempt.endedAt) >= backoff()) void fetchAtMostOnce()
  }

  const pause = () => (usable() === undefined ? backoff() : cooldown)

  function unavailable(): ProvisioningError {
    const message = 'The signing keys of the issuer could not be fetched.'
    const left = Math.ceil((pause() - since(attempt.endedAt)) / 1000)
    return new ProvisioningError('signing_keys_unavailable', message, {
      facts: { retryAfterSeconds: Math.max(1, left) },
    })
  }

  return {
    find: (kid) => (kid === undefined ? undefined : usable()?.get(kid)),
    async load(kid) {
      // A token without a `kid` is always refused, so it needs no keys.
      if (kid === undefined) return
      if (usable()?.has(kid)) return refreshStale()
      if (fetching !== undefined || since(attempt.endedAt) >= pause()) await fetchAtMostOnce()
      const keys = usable()
      // After a valid answer, a missing key does not exist. After a failure, that is unknown.
      if (keys === undefined || (attempt.failures > 0 && !keys.has(kid))) throw unavailable()
    },
  }
}

/** RFC 9111 5.2.2.1: an answer may shorten the configured time, but not below the cooldown. */
function freshness(cacheControl: string, { freshSeconds, cooldownSeconds }: KeyCacheRules): number {
  const [, seconds] = /(?:^|[\s,])max-age="?(\d{1,9})/i.exec(cacheControl) ?? []
  const isUncached = /(?:^|[\s,])no-(?:cache|store)\b/i.test(cacheControl)
  const wanted = isUncached ? 0 : Number(seconds ?? freshSeconds)
  return Math.min(freshSeconds, Math.max(cooldownSeconds, wanted))
}
