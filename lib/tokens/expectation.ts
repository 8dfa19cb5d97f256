import type { Target } from '../possession/target.js'

/** The expectations for a key or an access token. They come from the configuration, never from the request. */
export interface Expectation {
  readonly audiences: readonly string[]
  /** The scopes it must carry, all of them. */
  readonly scope: readonly string[]
  /** The request that a DPoP proof must be for. */
  readonly target: Target
  /** Whether the request redeems the key. A redeemed key passes step one then: its owner may ask for the outcome again. */
  readonly redeems?: boolean
}

/** The scopes that are wanted and not carried, space-delimited; `undefined` when nothing is missing. */
export function missingScope(carried: readonly string[], wanted: readonly string[]): string | undefined {
  const missing = wanted.filter((one) => !carried.includes(one))
  return missing.length === 0 ? undefined : missing.join(' ')
}
