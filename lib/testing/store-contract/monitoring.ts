import type { ClientUse, Finding, Lock, LockKind } from '../../ports/monitoring-store.js'
import type { Setup } from './setup.js'

/** A lock for a minute. */
export function lockOf(
  { nowSeconds }: Pick<Setup, 'nowSeconds'>,
  clientId: string,
  kind: LockKind = 'lock',
  differences: Partial<Lock> = {},
): Lock {
  const lockedAt = Math.floor(nowSeconds())
  return {
    clientId,
    kind,
    reason: 'a test',
    author: 'operator',
    lockedAt,
    until: lockedAt + 60,
    ...differences,
  }
}

/** A finding about a client, for an hour. */
export function findingOf(
  { nowSeconds }: Pick<Setup, 'nowSeconds'>,
  id = 'finding',
  differences: Partial<Finding> = {},
): Finding {
  const at = Math.floor(nowSeconds())
  return {
    id,
    rule: 'replay',
    severity: 'warning',
    evidence: 'bound',
    subject: 'client:fleet',
    count: 1,
    firstAt: at,
    lastAt: at,
    samples: [],
    actions: [],
    until: at + 3_600,
    ...differences,
  }
}

/** A use of a client at this time, for an hour. */
export function useOf(
  { nowSeconds }: Pick<Setup, 'nowSeconds'>,
  clientId: string,
  differences: Partial<ClientUse> = {},
): ClientUse {
  const lastUsedAt = Math.floor(nowSeconds())
  return { clientId, lastUsedAt, until: lastUsedAt + 3_600, ...differences }
}

/** Texts that a careless store confuses, or changes. */
export const ODD_TEXTS = [
  ...['', '__proto__', 'constructor', '0', '*', '#', 'a:b:{c}', '=a', 'with space', '"quotes" and \\'],
  ...['%41&b=c/../d', 'ключ-鍵-🔑', 'line\nbreak', ',', '+'],
]

/** Texts that are not the `next` of any page. */
export const NO_PLACES = ['', 'nonsense', '%', 'e30', 'W10', 'WzEsMSwxXQ', 'WyJhIiwiYiIsImMiXQ']
