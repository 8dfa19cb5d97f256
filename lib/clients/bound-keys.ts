import { malformed } from '../base/errors.js'
import type { PublicJwk } from '../jose/jwk.js'
import type { Binding, Client } from '../ports/client.js'
import type { ClientAuthenticationMethod } from '../ports/methods.js'
import type { Policy } from '../ports/policy-options.js'
import type { Confirmation, KeyRef } from '../ports/store.js'

/** A key or a certificate whose possession has been proven, and which is to be bound. */
export interface ProvenKey {
  readonly confirmation: Confirmation
  /** Absent for a certificate. */
  readonly jwk?: PublicJwk
}

/** How a client authenticates under what is bound to it. */
const METHODS: Record<keyof Confirmation, ClientAuthenticationMethod> = {
  jkt: 'private_key_jwt',
  'x5t#S256': 'self_signed_tls_client_auth',
}

const MEMBERS = Object.keys(METHODS) as (keyof Confirmation)[]

/**
 * A client with these bindings and no others. It may authenticate in the ways that they allow, and no longer in those
 * that only earlier ones allowed.
 */
export function withBindings<C extends Omit<Client, 'revision'>>(client: C, bindings: readonly Binding[]): C {
  const own = ownMethods(client)
  const boundMethods = boundMethodsOf(bindings).filter((method) => !own.includes(method))
  return { ...client, bindings, boundMethods, authenticationMethods: [...own, ...boundMethods] }
}

/** The methods by which a client can authenticate with its bound keys and certificates. */
export function boundMethodsOf(bindings: readonly Binding[] = []): readonly ClientAuthenticationMethod[] {
  const bound = MEMBERS.filter((member) => bindings.some(({ confirmation }) => confirmation[member]))
  return bound.map((member) => METHODS[member])
}

/** The methods that a client has without its bindings: those that its metadata have the keys for. */
function ownMethods({
  authenticationMethods,
  boundMethods = [],
  metadata,
}: Omit<Client, 'revision'>): readonly ClientAuthenticationMethod[] {
  const keys = metadata?.jwks?.keys ?? []
  const supported: Partial<Record<ClientAuthenticationMethod, boolean>> = {
    private_key_jwt: keys.length > 0,
    self_signed_tls_client_auth: keys.some(({ x5c }) => x5c !== undefined),
  }
  return authenticationMethods.filter(
    (method) => supported[method] !== false && !(boundMethods.includes(method) && method in supported),
  )
}

/**
 * What a client is to have bound when another key is bound to it.
 *
 * A stolen provisioning key must not be able to put another key in the place of the client's, unless policy says so.
 *
 * @param policy that of the client which asked for the provisioning key
 * @throws ProvisioningError `binding_exists`
 */
export function bindingsWith(
  added: Binding,
  kept: readonly Binding[] = [],
  { rebinding, maxBindings }: Policy,
): readonly Binding[] {
  // What an attempt at the same redemption left, that was interrupted, is in nobody's way.
  const others = kept.filter(({ keyId }) => keyId !== added.keyId)
  if (others.length === 0 || rebinding === 'replace') return [added]
  // Bound twice, a key would live on when one of its bindings is revoked.
  if (others.some(isOf(added))) throw exists('This key is bound to the client already.')
  if (rebinding === 'refuse') throw exists('The client has a bound key already.')
  if (others.length >= maxBindings)
    throw exists(`The client has ${others.length} bound keys already, of ${maxBindings}.`)
  return [...others, added]
}

function isOf({ confirmation }: Binding): (other: Binding) => boolean {
  return ({ confirmation: other }) =>
    MEMBERS.some((member) => other[member] !== undefined && other[member] === confirmation[member])
}

function exists(message: string) {
  return malformed('binding_exists', message)
}

/**
 * The keys to which a client owes its newest bindings. An older key has expired, and its replay finds nothing any more.
 *
 * @param since the NumericDate before which bindings do not count
 */
export function ancestorsOf(
  { clientId, bindings = [] }: Pick<Client, 'clientId' | 'bindings'>,
  since: number,
): readonly KeyRef[] {
  const young = bindings.filter(({ boundAt }) => boundAt >= since)
  const keys = young.flatMap(({ keyId: jti, askedBy = clientId, lineage = [] }) => [
    { clientId: askedBy, jti },
    ...lineage,
  ])
  return [...new Map(keys.map((key) => [key.jti, key])).values()]
}

/** Whether a binding comes from the redemption of a key: directly, or through other bindings. */
export function comesFrom(jti: string): (binding: Binding) => boolean {
  return ({ keyId, lineage = [] }) => keyId === jti || lineage.some((ancestor) => ancestor.jti === jti)
}

/** A client without one of its bindings; `undefined` when it has no such binding. */
export function withoutBinding(client: Client | undefined, bindingId: string): Client | undefined {
  return withoutBindings(client, (binding) => binding.bindingId === bindingId)
}

/** A client without some of its bindings; `undefined` when it has none of these. */
export function withoutBindings(
  client: Client | undefined,
  isGone: (binding: Binding) => boolean,
): Client | undefined {
  const left = client?.bindings?.filter((binding) => !isGone(binding))
  return client === undefined || left?.length === client.bindings?.length
    ? undefined
    : withBindings(client, left ?? [])
}
