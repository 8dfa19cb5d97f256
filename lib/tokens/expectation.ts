import type { Target } from '../possession/target.js'

/** The requirements for a key or an access token. They come from the configuration, never from the request. */
export interface Expectation {
  readonly audiences: readonly string[]
  /** All of these scopes are required. */
  readonly scope: readonly string[]
  /** The request that a DPoP proof must be for. */
  readonly target: Target
  /** Whether the request redeems the key. If so, a redeemed key is recognized: its owner may ask for the outcome again. */
  readonly redeems?: boolean
}

/** The missing scopes, space-delimited. `undefined`: none is missing. */
export function missingScope(carried: readonly string[], required: readonly string[]): string | undefined {
  const missing = required.filter((one) => !carried.includes(one))
  return missing.length === 0 ? undefined : missing.join(' ')
}
