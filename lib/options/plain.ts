import { setTimeout } from 'node:timers/promises'
import { describe, describeSecret, type Faults } from '../base/faults.js'
import { isObject } from '../base/object.js'
import type { ProvisioningStore } from '../ports/store.js'
import { AUDIENCE, readList } from './policy.js'

const STORE_VERBS: readonly (keyof ProvisioningStore)[] = [
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
]

/** Reads `issuer`. */
export function readIssuer(value: unknown, noted: Faults): URL | undefined {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  // Exact as clients will write it: what a URL parser would change could never match (RFC 8414 3.3).
  const isCanonical = url !== undefined && (url.href === value || url.href === `${value}/`)
  const isPlain = url?.username === '' && url.password === '' && !/[?#]/.test(url.href)
  if (url?.protocol === 'https:' && isCanonical && isPlain) return url
  noted.add('issuer', 'an https URL without query, fragment or credentials (RFC 8414 2)', describe(value))
  return undefined
}

/** Reads `audience`. */
export function readAudiences(value: unknown, noted: Faults): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (Array.isArray(value) && value.length > 0) readList('audience', list, AUDIENCE, noted)
  else if (typeof value !== 'string' || !AUDIENCE.accepts(value))
    noted.add('audience', AUDIENCE.expected, describe(value))
  return Object.freeze(list.filter((one) => typeof one === 'string'))
}

/** What each plain option must be, and how to tell. */
const PLAIN: Readonly<Record<string, readonly [expected: string, accepts: (value: never) => boolean]>> = {
  store: [
    'a ProvisioningStore, such as memoryStore()',
    (store: unknown) => isObject(store) && STORE_VERBS.every((verb) => typeof store[verb] === 'function'),
  ],
  mountPath: [
    'a path such as /oauth, without a slash at its end',
    (path: unknown) => typeof path === 'string' && /^(\/(?!\.{1,2}(\/|$))[\w.~-]+)+$/.test(path),
  ],
  realm: [
    'printable ASCII without quotes',
    (realm: unknown) => typeof realm === 'string' && /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/.test(realm),
  ],
  environment: [
    '1 to 64 letters, digits, dots, hyphens',
    (name: unknown) => typeof name === 'string' && /^[\w.-]{1,64}$/.test(name),
  ],
  clockToleranceSeconds: [
    'a whole number from 0 to 60 seconds',
    (seconds: unknown) => Number.isInteger(seconds) && Number(seconds) >= 0 && Number(seconds) <= 60,
  ],
  redemptionLeaseSeconds: [
    'a whole number from 1 to 900 seconds',
    (seconds: unknown) => Number.isInteger(seconds) && Number(seconds) >= 1 && Number(seconds) <= 900,
  ],
  observer: ['a function', (observer: unknown) => typeof observer === 'function'],
  now: [
    'a function that answers milliseconds',
    (now: unknown) => typeof now === 'function' && answersTime(now as () => unknown),
  ],
}

function answersTime(now: () => unknown): boolean {
  try {
    return Number.isFinite(now())
  } catch {
    return false
  }
}

/** What whoever claims keys in a store works with. */
export function storing({ redemptionLeaseSeconds = 30 }: { readonly redemptionLeaseSeconds?: number }) {
  return { redemptionLeaseSeconds, pause: (milliseconds: number) => setTimeout(milliseconds) }
}

/** Judges each option that is a plain value; `given` keeps it. */
export function readPlain(given: Record<string, unknown>, noted: Faults): void {
  for (const [name, [expected, accepts]] of Object.entries(PLAIN)) {
    const value = given[name]
    if (value !== undefined && !accepts(value as never))
      noted.add(name, expected, name === 'store' ? describeSecret(value) : describe(value))
  }
}
