import { ProvisioningError } from '../base/errors.js'
import { readJwkSet } from '../jose/jwk-set.js'
import type { SigningKey, VerificationKeys } from '../jose/key-ring.js'
import type { Emit } from '../ports/events.js'
import type { FetchedJson } from './fetch-json.js'

/** How long fetched keys are used, and how often they are fetched. */
export interface KeyCacheRules {
  /** After this time, or a shorter `max-age` of the answer, keys are refreshed: see `#refresh`. */
  readonly freshSeconds: number
  /** After this time without a valid answer, keys are no longer used. */
  readonly usableSeconds: number
  /** An unknown `kid` causes a fetch at most this often. */
  readonly cooldownSeconds: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly emit: Emit
}

interface Cached {
  readonly keys: ReadonlyMap<string, SigningKey>
  readonly fetchedAt: number
  readonly freshMilliseconds: number
}

/**
 * The signing keys of an issuer in another process. Nothing is fetched before the first request needs a key. There is
 * only one fetch at a time, however many requests wait for it.
 */
export class RemoteKeys implements VerificationKeys {
  readonly #fetchSet: () => Promise<FetchedJson>
  readonly #rules: KeyCacheRules
  #cached: Cached | undefined
  #lastFetch = { endedAt: Number.NEGATIVE_INFINITY, failures: 0 }
  #fetching: Promise<void> | undefined

  constructor(fetchSet: () => Promise<FetchedJson>, rules: KeyCacheRules) {
    this.#fetchSet = fetchSet
    this.#rules = rules
  }

  find(kid: string | undefined): SigningKey | undefined {
    return kid === undefined ? undefined : this.#usable()?.get(kid)
  }

  all(): readonly SigningKey[] {
    return [...(this.#usable()?.values() ?? [])]
  }

  async load(kid: string | undefined): Promise<void> {
    // A token without a `kid` is always refused, so it needs no keys.
    if (kid === undefined) return
    if (this.#usable()?.has(kid)) return this.#refresh()
    if (this.#fetching !== undefined || this.#waitMilliseconds(this.#pause()) === 0) await this.#fetch()
    const keys = this.#usable()
    // After a valid answer, a missing key does not exist. After a failure, that is unknown.
    if (keys === undefined || (this.#lastFetch.failures > 0 && !keys.has(kid))) throw this.#unavailable()
  }

  #usable(): Cached['keys'] | undefined {
    const { usableSeconds } = this.#rules
    return this.#cached !== undefined && this.#since(this.#cached.fetchedAt) < usableSeconds * 1000
      ? this.#cached.keys
      : undefined
  }

  /**
   * Refreshes keys that are not fresh, in the background. After a long time without a request, the request waits: the
   * issuer may have removed a stolen key. It does not wait for an issuer whose last answer was not good.
   */
  #refresh(): Promise<void> | undefined {
    const { fetchedAt, freshMilliseconds } = this.#cached ?? { fetchedAt: 0, freshMilliseconds: 0 }
    const age = this.#since(fetchedAt)
    if (age < freshMilliseconds || this.#waitMilliseconds(this.#backoff()) > 0) return undefined
    const hasAnswered = this.#lastFetch.failures === 0
    const fetched = this.#fetch()
    return hasAnswered && age >= 2 * freshMilliseconds ? fetched : undefined
  }

  #fetch(): Promise<void> {
    this.#fetching ??= this.#fetchOnce().finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  async #fetchOnce(): Promise<void> {
    const { now, emit } = this.#rules
    try {
      const { json, cacheControl } = await this.#fetchSet()
      const keys = readJwkSet(json)
      if (typeof keys === 'string') throw new Error(`the answer is refused: ${keys}`)
      const freshMilliseconds = freshness(cacheControl, this.#rules) * 1000
      this.#cached = { keys, fetchedAt: now(), freshMilliseconds }
      this.#lastFetch = { endedAt: now(), failures: 0 }
    } catch (error) {
      this.#lastFetch = { endedAt: now(), failures: this.#lastFetch.failures + 1 }
      const detail = error instanceof Error ? error.message : 'no answer'
      emit('signing_keys.unavailable', { detail, usable: this.#usable() !== undefined })
    }
  }

  /** The time between two fetches. Without usable keys all requests are refused, so the next fetch comes sooner. */
  #pause(): number {
    return this.#usable() === undefined ? this.#backoff() : this.#cooldown()
  }

  /** Doubles with each failure in a row, up to the cooldown. */
  #backoff(): number {
    const { failures } = this.#lastFetch
    return failures === 0 ? 0 : Math.min(this.#cooldown(), 1000 * 2 ** (failures - 1))
  }

  #cooldown(): number {
    return this.#rules.cooldownSeconds * 1000
  }

  #waitMilliseconds(pause: number): number {
    return Math.max(0, pause - this.#since(this.#lastFetch.endedAt))
  }

  /** Positive even if the clock is set back, so that nothing lasts for ever. */
  #since(time: number): number {
    return Math.abs(this.#rules.now() - time)
  }

  #unavailable(): ProvisioningError {
    const message = 'The signing keys of the issuer could not be fetched.'
    const retryAfterSeconds = Math.max(1, Math.ceil(this.#waitMilliseconds(this.#pause()) / 1000))
    return new ProvisioningError('signing_keys_unavailable', message, { facts: { retryAfterSeconds } })
  }
}

/** RFC 9111 5.2.2.1: an answer may shorten the configured time, but not below the cooldown. */
function freshness(cacheControl: string, { freshSeconds, cooldownSeconds }: KeyCacheRules): number {
  const [, seconds] = /(?:^|[\s,])max-age="?(\d{1,9})/i.exec(cacheControl) ?? []
  const isUncached = /(?:^|[\s,])no-(?:cache|store)\b/i.test(cacheControl)
  const wanted = isUncached ? 0 : Number(seconds ?? freshSeconds)
  return Math.min(freshSeconds, Math.max(cooldownSeconds, wanted))
}
