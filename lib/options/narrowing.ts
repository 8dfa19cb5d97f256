import { describe, type Faults, join } from '../base/faults.js'
import { isNetworkWithin } from '../base/network.js'
import { isSubjectWithin } from '../clients/policy.js'
import type {
  Policy,
  PolicyBounds,
  PolicyOptions,
  Rebinding,
  ReplayContainment,
  SenderConstraint,
} from '../ports/policy-options.js'

/** The outermost policy: the deployment's, whose audiences are always known. */
export type OuterPolicy = PolicyBounds

export const DEFAULTS = {
  lifetimeSeconds: 300,
  maxLifetimeSeconds: 900,
  maxBindings: 2,
  outstandingKeys: 1000,
  accessTokenLifetimeSeconds: 600,
} as const

type ListName = 'scopes' | 'audiences' | 'networks' | 'subjects' | 'accessTokenScopes'
type Within = (inner: string, outer: string) => boolean

const same: Within = (inner, outer) => inner === outer

/** What makes an entry of an inner list lie within one of an outer list. */
const LISTS: Record<ListName, Within> = {
  scopes: same,
  audiences: same,
  networks: isNetworkWithin,
  subjects: isSubjectWithin,
  accessTokenScopes: same,
}

const COUNTS = ['maxLifetimeSeconds', 'maxBindings', 'outstandingKeys', 'accessTokenLifetimeSeconds'] as const

/** Notes where a policy contradicts itself or goes beyond an outer one. */
export function validatePolicy(path: string, own: PolicyOptions, outer: OuterPolicy, faults: Faults): void {
  for (const name of Object.keys(LISTS) as ListName[]) {
    noteBeyond(join(path, name), own[name], outer[name], {
      within: LISTS[name],
      of: `policy.${name}`,
      faults,
    })
  }
  const scopes = own.scopes ?? outer.scopes ?? []
  const exactly = (of: string) => ({ within: same, of, faults })
  noteBeyond(join(path, 'defaultScopes'), own.defaultScopes, scopes, exactly(join(path, 'scopes')))
  const introspected = join(path, 'introspectAudiences')
  noteBeyond(introspected, own.introspectAudiences, outer.audiences, exactly('policy.audiences'))
  for (const name of COUNTS) {
    const most = outer[name] ?? (name === 'maxLifetimeSeconds' ? DEFAULTS[name] : Number.POSITIVE_INFINITY)
    if ((own[name] ?? 0) > most)
      faults.add(join(path, name), `at most ${most}, as policy.${name} says`, String(own[name]))
  }
  noteLoosened(path, own, outer, faults)
  const cap = own.maxLifetimeSeconds ?? outer.maxLifetimeSeconds ?? DEFAULTS.maxLifetimeSeconds
  if ((own.lifetimeSeconds ?? 0) > cap) {
    faults.add(
      join(path, 'lifetimeSeconds'),
      `at most maxLifetimeSeconds, which is ${cap}`,
      String(own.lifetimeSeconds),
    )
  }
}

/** Notes where a policy lifts what an outer one demands, or takes another liberty than that leaves. */
function noteLoosened(path: string, own: PolicyOptions, outer: OuterPolicy, faults: Faults): void {
  if (own.senderConstraint === 'none' && (outer.senderConstraint ?? 'none') !== 'none') {
    faults.add(
      join(path, 'senderConstraint'),
      `${outer.senderConstraint}, as policy.senderConstraint says`,
      "'none'",
    )
  }
  if (own.requireSoftwareStatement === false && outer.requireSoftwareStatement === true)
    faults.add(
      join(path, 'requireSoftwareStatement'),
      'true, as policy.requireSoftwareStatement says',
      'false',
    )
  const { rebinding } = own
  if (rebinding !== undefined && rebinding !== rebindingWithin(own, outer)) {
    const left = [...new Set([outer.rebinding, 'refuse'])].join(' or ')
    faults.add(join(path, 'rebinding'), `${left}, as policy.rebinding says`, `'${rebinding}'`)
  }
  if (own.onReplay === 'flag' && containment(own, outer) !== 'flag')
    faults.add(join(path, 'onReplay'), 'revoke, as policy.onReplay says', "'flag'")
}

function noteBeyond(
  path: string,
  inner: readonly string[] | undefined,
  outer: readonly string[] | undefined,
  { within, of, faults }: { within: Within; of: string; faults: Faults },
): void {
  const beyond = outer === undefined ? [] : (inner?.filter((one) => !isWithinAny(one, outer, within)) ?? [])
  if (beyond.length > 0) faults.add(path, `only what ${of} allows`, beyond.map(describe).join(', '))
}

function isWithinAny(one: string, outer: readonly string[], within: Within): boolean {
  return outer.some((other) => within(one, other))
}

/**
 * A client's policy made complete: its own where it has one, the deployment's elsewhere, and never beyond that.
 *
 * @param certificateBound the value in its metadata (RFC 8705 3.4)
 */
export function completePolicy(own: PolicyOptions, outer: OuterPolicy, certificateBound = false): Policy {
  const scopes = narrow('scopes', own, outer) ?? []
  const maxLifetimeSeconds = least('maxLifetimeSeconds', own, outer)
  const lifetime = own.lifetimeSeconds ?? outer.lifetimeSeconds ?? DEFAULTS.lifetimeSeconds
  const tokenScopes = narrow('accessTokenScopes', own, outer)
  return Object.freeze({
    scopes: new Set(scopes),
    defaultScopes: (own.defaultScopes ?? outer.defaultScopes ?? []).filter((scope) => scopes.includes(scope)),
    audiences: narrow('audiences', own, outer) ?? [],
    lifetimeSeconds: Math.min(lifetime, maxLifetimeSeconds),
    maxLifetimeSeconds,
    // The list is empty when all networks of a client lie outside. An empty list must not mean "anywhere".
    networks: narrow('networks', own, outer),
    subjects: narrow('subjects', own, outer) ?? [],
    // Never inherited from the deployment: each client needs its own permission to introspect others.
    introspectAudiences: (own.introspectAudiences ?? []).filter((one) => outer.audiences.includes(one)),
    senderConstraint: stricter(own, outer),
    rebinding: rebindingWithin(own, outer),
    maxBindings: least('maxBindings', own, outer),
    onReplay: containment(own, outer),
    certificateBound,
    // These add up, because each additional policy allows less.
    registrationPolicies: [
      ...new Set([...(outer.registrationPolicies ?? []), ...(own.registrationPolicies ?? [])]),
    ],
    requireSoftwareStatement: [outer, own].some((one) => one.requireSoftwareStatement === true),
    outstandingKeys: least('outstandingKeys', own, outer),
    accessTokenScopes: tokenScopes === undefined ? undefined : new Set(tokenScopes),
    accessTokenLifetimeSeconds: least('accessTokenLifetimeSeconds', own, outer),
  })
}

function narrow(name: ListName, own: PolicyOptions, outer: OuterPolicy): readonly string[] | undefined {
  const [inner, bounds] = [own[name], outer[name]]
  if (inner === undefined || bounds === undefined) return inner ?? bounds
  return inner.filter((one) => isWithinAny(one, bounds, LISTS[name]))
}

/** A client's policy may add a constraint to the deployment's `none`, and replace one by the other, not lift it. */
function stricter(own: PolicyOptions, outer: OuterPolicy): SenderConstraint {
  const isLifted = own.senderConstraint === undefined || own.senderConstraint === 'none'
  return (isLifted ? outer.senderConstraint : own.senderConstraint) ?? 'none'
}

/** `refuse` lies within either of the others; to replace keys and to add them are different liberties. */
function rebindingWithin(own: PolicyOptions, outer: OuterPolicy): Rebinding {
  const wanted = own.rebinding ?? outer.rebinding ?? 'refuse'
  return wanted === (outer.rebinding ?? wanted) ? wanted : 'refuse'
}

/** Only to flag is a liberty, which the deployment can take away. */
function containment(own: PolicyOptions, outer: OuterPolicy): ReplayContainment {
  return outer.onReplay === 'revoke' ? 'revoke' : (own.onReplay ?? outer.onReplay ?? 'revoke')
}

function least(name: (typeof COUNTS)[number], own: PolicyOptions, outer: OuterPolicy): number {
  const bound = outer[name] ?? (name === 'maxLifetimeSeconds' ? DEFAULTS[name] : Number.POSITIVE_INFINITY)
  return Math.min(own[name] ?? outer[name] ?? DEFAULTS[name], bound)
}
