import { describe, type Faults, join } from '../base/faults.js'
import { parseNetwork } from '../base/network.js'
import { isObject } from '../base/object.js'
import { CLIENT_ID, isAudience, SCOPE_TOKEN } from '../clients/policy.js'
import {
  MOST_BINDINGS,
  type PolicyOptions,
  REBINDINGS,
  REPLAY_CONTAINMENTS,
  SENDER_CONSTRAINTS,
} from '../ports/policy-options.js'

/** No key or access token of any client lives longer, whatever is configured. */
export const LONGEST_LIFETIME_SECONDS = 3600

/** What one entry of a list must be, and how to tell. */
interface Entry {
  readonly expected: string
  readonly accepts: (entry: string) => boolean
  /** Whether the list may be empty: where that means nothing at all, and not everything. */
  readonly mayBeNone: boolean
}

const SCOPE: Entry = {
  expected: 'a scope token without a wildcard (RFC 6749 3.3)',
  accepts: (scope) => SCOPE_TOKEN.test(scope) && !scope.includes('*'),
  mayBeNone: true,
}

export const AUDIENCE: Entry = {
  expected: 'an absolute URI without fragment or wildcard (RFC 8707 2)',
  accepts: (audience) => isAudience(audience) && !audience.includes('*'),
  mayBeNone: false,
}

const NETWORK: Entry = {
  expected: 'a network in CIDR notation',
  accepts: (network) => parseNetwork(network) !== undefined,
  mayBeNone: false,
}

const SUBJECT: Entry = {
  expected: 'a client id, or a prefix that ends in one of : / . _ - followed by *',
  accepts: (subject) =>
    CLIENT_ID.test(subject) && (!subject.includes('*') || /^[^*]*[^*:/._-][:/._-]\*$/.test(subject)),
  mayBeNone: true,
}

const REGISTRATION_POLICY: Entry = {
  expected: 'the name of a registration policy',
  accepts: (name) => name !== '',
  mayBeNone: true,
}

const LISTS: Partial<Record<keyof PolicyOptions, Entry>> = {
  scopes: SCOPE,
  defaultScopes: SCOPE,
  accessTokenScopes: SCOPE,
  audiences: AUDIENCE,
  networks: NETWORK,
  subjects: SUBJECT,
  introspectAudiences: { ...AUDIENCE, mayBeNone: true },
  registrationPolicies: REGISTRATION_POLICY,
}

const NUMBERS: Partial<Record<keyof PolicyOptions, { readonly most: number; readonly unit: string }>> = {
  lifetimeSeconds: { most: LONGEST_LIFETIME_SECONDS, unit: ' seconds' },
  maxLifetimeSeconds: { most: LONGEST_LIFETIME_SECONDS, unit: ' seconds' },
  accessTokenLifetimeSeconds: { most: LONGEST_LIFETIME_SECONDS, unit: ' seconds' },
  outstandingKeys: { most: 1_000_000, unit: '' },
  maxBindings: { most: MOST_BINDINGS, unit: '' },
}

const CHOICES: Partial<Record<keyof PolicyOptions, readonly (string | boolean)[]>> = {
  senderConstraint: SENDER_CONSTRAINTS,
  rebinding: REBINDINGS,
  onReplay: REPLAY_CONTAINMENTS,
  requireSoftwareStatement: [true, false],
}

/** Reads a policy: the form of each member, and what can be told without knowing any other policy. */
export function readPolicy(path: string, value: unknown, faults: Faults): PolicyOptions {
  if (value === undefined) return {}
  if (!isObject(value)) {
    faults.add(path, 'an object', describe(value))
    return {}
  }
  faults.addUnknownNames(path, value, [LISTS, NUMBERS, CHOICES].flatMap(Object.keys))
  const lists = Object.entries(LISTS).map(([name, entry]) => [
    name,
    readList(join(path, name), value[name], entry, faults),
  ])
  const counts = Object.entries(NUMBERS).map(([name, range]) => [
    name,
    readCount(join(path, name), value[name], range, faults),
  ])
  const choices = Object.entries(CHOICES).map(([name, values]) => [
    name,
    readChoice(join(path, name), value[name], values, faults),
  ])
  return Object.freeze(
    Object.fromEntries([...lists, ...counts, ...choices].filter(([, read]) => read !== undefined)),
  )
}

function readChoice(path: string, value: unknown, values: readonly unknown[], faults: Faults): unknown {
  if (value !== undefined && !values.includes(value)) faults.add(path, values.join(' or '), describe(value))
  return value
}

/** Reads a list of texts into a list of our own. */
export function readList(
  path: string,
  value: unknown,
  entry: Entry,
  faults: Faults,
): readonly string[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || (value.length === 0 && !entry.mayBeNone)) {
    faults.add(path, `a list, each entry ${entry.expected}`, describe(value))
    return undefined
  }
  for (const [index, one] of value.entries()) {
    const fits = typeof one === 'string' && entry.accepts(one)
    if (!fits) faults.add(`${path}[${index}]`, entry.expected, describe(one))
  }
  return Object.freeze([...value])
}

/** Reads a whole number from 1 on, which may be absent. */
export function readCount(
  path: string,
  value: unknown,
  range: { readonly most: number; readonly unit: string },
  faults: Faults,
): number | undefined {
  const fits = Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= range.most
  if (fits) return Number(value)
  if (value !== undefined) {
    faults.add(path, `a whole number from 1 to ${range.most}${range.unit}`, describe(value))
  }
  return undefined
}
