import type { PublicJwk } from '../jose/jwk.js'
import type { Binding, Client } from '../ports/client.js'
import type { ClientAuthenticationMethod } from '../ports/methods.js'
import type { Confirmation, KeyRef } from '../ports/store.js'

/** A key or a certificate to bind. The sender has proven its possession. */
export interface ProvenKey {
  readonly confirmation: Confirmation
  /** Absent for a certificate. */
  readonly jwk?: PublicJwk
}

/** How a client authenticates with a bound key, or with a bound certificate. */
const METHODS: Record<keyof Confirmation, ClientAuthenticationMethod> = {
  jkt: 'private_key_jwt',
  'x5t#S256': 'self_signed_tls_client_auth',
}

export const CONFIRMATION_MEMBERS = Object.keys(METHODS) as (keyof Confirmation)[]

/**
 * Replaces the bindings of a client, and adapts its authentication methods: it gains those of the new bindings, and loses
 * those that it had only by the old ones.
 *
 * If it loses the binding that made it, and nobody has used that binding, then the oldest binding that is left counts as the
 * one that made it. So a client that nobody uses ends with the last of its bindings.
 */
export function withBindings<C extends Omit<Client, 'revision'>>(client: C, bindings: readonly Binding[]): C {
  const own = ownMethods(client)
  const boundMethods = boundMethodsOf(bindings).filter((method) => !own.includes(method))
  const methods = { boundMethods, authenticationMethods: [...own, ...boundMethods] }
  return { ...client, ...newMaker(client, bindings), bindings, ...methods }
}

function newMaker(
  client: Omit<Client, 'revision'>,
  left: readonly Binding[],
): Pick<Client, 'registeredBy'> | undefined {
  const isMaker = hasMade(client)
  const isUnused = client.bindings?.find(isMaker)?.confirmBy !== undefined
  if (client.registration !== undefined || !isUnused || left.some(isMaker)) return undefined
  const [maker] = left.flatMap(({ askedBy: clientId, keyId }) => (clientId ? { clientId, keyId } : []))
  return maker && { registeredBy: maker }
}

/** Whether the key behind a binding has made the client. */
export function hasMade({
  clientId,
  registeredBy,
}: Pick<Client, 'clientId' | 'registeredBy'>): (binding: Binding) => boolean {
  return ({ keyId, askedBy = clientId }) => registeredBy?.keyId === keyId && registeredBy.clientId === askedBy
}

/** The methods by which a client can authenticate with its bound keys and certificates. */
export function boundMethodsOf(bindings: readonly Binding[] = []): readonly ClientAuthenticationMethod[] {
  const bound = CONFIRMATION_MEMBERS.filter((member) =>
    bindings.some(({ confirmation }) => confirmation[member]),
  )
  return bound.map((member) => METHODS[member])
}

/**
 * The methods that a client has without its bindings. A method by key or certificate comes from a binding if it is in
 * `boundMethods`, or if the metadata have no key or certificate for it.
 */
function ownMethods({
  authenticationMethods,
  boundMethods = [],
  metadata,
}: Omit<Client, 'revision'>): readonly ClientAuthenticationMethod[] {
  const keys = metadata?.jwks?.keys ?? []
  const supported: Partial<Record<ClientAuthenticationMethod, boolean>> = {
    private_key_jwt: keys.length > 0,
    self_signed_tls_client_auth: keys.some((jwk) => (jwk.x5c ?? jwk['x5t#S256']) !== undefined),
  }
  return authenticationMethods.filter(
    (method) => supported[method] !== false && !(boundMethods.includes(method) && method in supported),
  )
}

/**
 * The provisioning keys behind the newest bindings of a client.
 *
 * @param since a NumericDate; older bindings are ignored, because their keys have expired and can no longer be replayed
 */
export function ancestorsOf(
  { clientId, bindings = [] }: Pick<Client, 'clientId' | 'bindings'>,
  since: number,
): readonly KeyRef[] {
  const recent = bindings.filter(({ boundAt }) => boundAt >= since)
  const keys = recent.flatMap(({ keyId: jti, askedBy = clientId, lineage = [] }) => [
    { clientId: askedBy, jti },
    ...lineage,
  ])
  return [...new Map(keys.map((key) => [key.jti, key])).values()]
}

/** Whether a binding comes from the redemption of a key, directly or through other bindings. */
export function comesFrom(jti: string): (binding: Binding) => boolean {
  return ({ keyId, lineage = [] }) => keyId === jti || lineage.some((ancestor) => ancestor.jti === jti)
}

/** Removes a binding from a client. Returns `undefined` if the client does not have it. */
export function withoutBinding(client: Client | undefined, bindingId: string): Client | undefined {
  return withoutBindings(client, (binding) => binding.bindingId === bindingId)
}

/** Removes bindings from a client. Returns `undefined` if the client has none of them. */
export function withoutBindings(
  client: Client | undefined,
  isGone: (binding: Binding) => boolean,
): Client | undefined {
  const left = client?.bindings?.filter((binding) => !isGone(binding))
  return client === undefined || left?.length === client.bindings?.length
    ? undefined
    : withBindings(client, left ?? [])
}
