import { setTimeout } from 'node:timers/promises'
import { describeSecret } from '../base/faults.js'
import { hasMethods } from '../base/object.js'
import { aFunction, type Reader, rule, text, texts, whole } from '../base/schema.js'
import type { Observer } from '../ports/events.js'
import type { ProvisioningStore } from '../ports/store.js'
import { AUDIENCE } from './policy.js'

/** The options that an issuer and a verifier have in common. */

export const issuer = text('an https URL without query, fragment or credentials (RFC 8414 2)', (given) => {
  const url = URL.canParse(given) ? new URL(given) : undefined
  // Exact as clients will write it: a URL that the parser would change could never match (RFC 8414 3.3).
  const isCanonical = url?.href === given || url?.href === `${given}/`
  const isPlain = url?.username === '' && url.password === '' && !/[?#]/.test(url.href)
  return url?.protocol === 'https:' && isCanonical && isPlain
})

const oneAudience = text(...AUDIENCE)
const severalAudiences = texts(...AUDIENCE)

export const audience: Reader<readonly string[]> = (value, path, noted) => {
  if (Array.isArray(value) && value.length > 0) return severalAudiences(value, path, noted)
  const one = oneAudience(value, path, noted)
  return one === undefined ? (undefined as never) : Object.freeze([one])
}

export const store = rule<ProvisioningStore>(
  'a ProvisioningStore, such as memoryStore()',
  (value) =>
    hasMethods(value, [
      'record',
      'find',
      'redeem',
      'recall',
      'settle',
      'release',
      'revoke',
      'revokeFamily',
      'revokeIssuedBefore',
      'useOnce',
    ] satisfies (keyof ProvisioningStore)[]),
  describeSecret,
)

export const realm = text('printable ASCII without quotes', /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/)

export const environment = text('1 to 64 letters, digits, dots, hyphens', /^[\w.-]{1,64}$/)

export const clockToleranceSeconds = whole(0, 60, ' seconds')

export const redemptionLeaseSeconds = whole(1, 900, ' seconds')

export const observer = aFunction<Observer>()

export const now = rule<() => number>(
  'a function that answers milliseconds',
  (value) => typeof value === 'function' && answersTime(value as () => unknown),
)

function answersTime(clock: () => unknown): boolean {
  try {
    return Number.isFinite(clock())
  } catch {
    return false
  }
}

/** What a deployment needs that reserves keys in a store. */
export function storing({ redemptionLeaseSeconds = 30 }: { readonly redemptionLeaseSeconds?: number }) {
  return { redemptionLeaseSeconds, pause: (milliseconds: number) => setTimeout(milliseconds) }
}
