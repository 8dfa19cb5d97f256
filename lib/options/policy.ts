import { parseNetwork } from '../core/network.js'
import { CLIENT_ID, isAudience, type Policy, type PolicyOptions, SCOPE_TOKEN, SENDER_CONSTRAINTS } from '../core/policy.js'
import { describe, type Faults, isObject, join } from './faults.js'

/** No key of any client lives longer, whatever is configured. */
const LONGEST_LIFETIME_SECONDS = 3600

/** What one entry of a list must be, and how to tell. */
interface Entry {
  readonly expected: string
  readonly accepts: (entry: string) => boolean
}

const SCOPE: Entry = {
  expected: 'a scope token without a wildcard (RFC 6749 3.3)',
  accepts: (scope) => SCOPE_TOKEN.test(scope) && !scope.includes('*'),
}

export const AUDIENCE: Entry = {
  expected: 'an absolute URI without fragment or wildcard (RFC 8707 2)',
  accepts: (audience) => isAudience(audience) && !audience.includes('*'),
}

const NETWORK: Entry = {
  expected: 'a network in CIDR notation',
  accepts: (network) => parseNetwork(network) !== undefined,
}

const SUBJECT: Entry = {
  expected: 'a client id, or a prefix that ends in one of : / . _ - followed by *',
  accepts: (subject) =>
    CLIENT_ID.test(subject) && (!subject.includes('*') || /^[^*]*[^*:/._-][:/._-]\*$/.test(subject)),
}

const LISTS: Partial<Record<keyof PolicyOptions, Entry>> = {
  scopes: SCOPE,
  defaultScopes: SCOPE,
  accessTokenScopes: SCOPE,
  audiences: AUDIENCE,
  networks: NETWORK,
  subjects: SUBJECT,
}

const NUMBERS: Partial<Record<keyof PolicyOptions, { readonly most: number; readonly unit: string }>> = {
  lifetimeSeconds: { most: LONGEST_LIFETIME_SECONDS, unit: ' seconds' },
  maxLifetimeSeconds: { most: LONGEST_LIFETIME_SECONDS, unit: ' seconds' },
  accessTokenLifetimeSeconds: { most: LONGEST_LIFETIME_SECONDS, unit: ' seconds' },
  outstandingKeys: { most: 1_000_000, unit: '' },
}

/** Reads a policy: the form of each member, and what can be told without knowing any other policy. */
export function readPolicy(path: string, value: unknown, faults: Faults): PolicyOptions {
  if (value === undefined) return {}
  if (!isObject(value)) {
    faults.add(path, 'an object', describe(value))
    return {}
  }
  faults.addUnknownNames(path, value, [...Object.keys(LISTS), ...Object.keys(NUMBERS), 'senderConstraint'])
  const { senderConstraint: constraint } = value
  if (constraint !== undefined && !(SENDER_CONSTRAINTS as readonly unknown[]).includes(constraint)) {
    faults.add(join(path, 'senderConstraint'), SENDER_CONSTRAINTS.join(' or '), describe(constraint))
  }
  for (const [name, entry] of Object.entries(LISTS)) readList(join(path, name), value[name], entry, faults)
  for (const [name, range] of Object.entries(NUMBERS)) {
    readCount(join(path, name), value[name], range, faults)
  }
  return value
}

/** Reads a list of texts, which may be absent but not empty. */
export function readList(path: string, value: unknown, entry: Entry, faults: Faults): void {
  if (value === undefined) return
  if (!Array.isArray(value)) {
    faults.add(path, `a list, each entry ${entry.expected}`, describe(value))
    return
  }
  for (const [index, one] of value.entries()) {
    const fits = typeof one === 'string' && entry.accepts(one)
    if (!fits) faults.add(`${path}[${index}]`, entry.expected, describe(one))
  }
}

/** Reads a whole number from 1 on, which may be absent. */
export function readCount(
  path: string,
  value: unknown,
  range: { readonly most: number; readonly unit: string },
  faults: Faults,
): void {
  const fits = Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= range.most
  if (value !== undefined && !fits)
    faults.add(path, `a whole number from 1 to ${range.most}${range.unit}`, describe(value))
}

/** Notes where a policy contradicts itself or goes beyond the deployment's. */
export function judgePolicy(
  path: string,
  own: PolicyOptions,
  deployment: PolicyOptions & { readonly audiences: readonly string[] },
  faults: Faults,
): void {
  const within = (
    name: string,
    inner: readonly string[] | undefined,
    outer: readonly string[] | undefined,
    of: string,
  ) => {
    const beyond =
      Array.isArray(inner) && Array.isArray(outer) ? inner.filter((one) => !outer.includes(one)) : []
    if (beyond.length > 0)
      faults.add(join(path, name), `only entries of ${of}`, beyond.map(describe).join(', '))
  }
  within('scopes', own.scopes, deployment.scopes, 'policy.scopes')
  within('defaultScopes', own.defaultScopes, own.scopes ?? deployment.scopes ?? [], `${join(path, 'scopes')}`)
  within('audiences', own.audiences, deployment.audiences, 'audience')
  const longest = deployment.maxLifetimeSeconds ?? DEFAULTS.maxLifetimeSeconds
  const cap = own.maxLifetimeSeconds ?? longest
  if (cap > longest)
    faults.add(
      join(path, 'maxLifetimeSeconds'),
      `at most ${longest} (policy.maxLifetimeSeconds)`,
      String(cap),
    )
  if ((own.lifetimeSeconds ?? 1) > cap) {
    faults.add(
      join(path, 'lifetimeSeconds'),
      `at most maxLifetimeSeconds, which is ${cap}`,
      String(own.lifetimeSeconds),
    )
  }
}

export const DEFAULTS = {
  lifetimeSeconds: 300,
  maxLifetimeSeconds: 900,
  outstandingKeys: 1000,
  accessTokenLifetimeSeconds: 600,
} as const

/** A client's policy made complete: its own where it has one, the deployment's elsewhere, and never beyond that. */
export function completePolicy(
  own: PolicyOptions,
  deployment: PolicyOptions & { readonly audiences: readonly string[] },
): Policy {
  const scopes = intersect(own.scopes ?? deployment.scopes ?? [], deployment.scopes)
  const longest = deployment.maxLifetimeSeconds ?? DEFAULTS.maxLifetimeSeconds
  const maxLifetimeSeconds = Math.min(own.maxLifetimeSeconds ?? longest, longest)
  const lifetime = own.lifetimeSeconds ?? deployment.lifetimeSeconds ?? DEFAULTS.lifetimeSeconds
  const tokenScopes = own.accessTokenScopes ?? deployment.accessTokenScopes
  return Object.freeze({
    scopes: new Set(scopes),
    defaultScopes: intersect(own.defaultScopes ?? deployment.defaultScopes ?? [], scopes),
    audiences: intersect(own.audiences ?? deployment.audiences, deployment.audiences),
    lifetimeSeconds: Math.min(lifetime, maxLifetimeSeconds),
    maxLifetimeSeconds,
    networks: own.networks ?? deployment.networks ?? [],
    subjects: own.subjects ?? deployment.subjects ?? [],
    senderConstraint: own.senderConstraint ?? deployment.senderConstraint ?? 'bearer',
    outstandingKeys: own.outstandingKeys ?? deployment.outstandingKeys ?? DEFAULTS.outstandingKeys,
    accessTokenScopes: tokenScopes === undefined ? undefined : new Set(tokenScopes),
    accessTokenLifetimeSeconds:
      own.accessTokenLifetimeSeconds ??
      deployment.accessTokenLifetimeSeconds ??
      DEFAULTS.accessTokenLifetimeSeconds,
  })
}

function intersect(inner: readonly string[], outer: readonly string[] | undefined): readonly string[] {
  return outer === undefined ? inner : inner.filter((one) => outer.includes(one))
}
