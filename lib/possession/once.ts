import { createHash } from 'node:crypto'
import { ProvisioningError } from '../base/errors.js'
import { callStore, type VerificationRules } from '../ports/deployment.js'
import type { IdentifierOwner } from '../ports/store.js'

/** Something that may be used once. */
export interface SingleUse {
  /** What identifies it. The store is told a hash of it, which tells nothing. */
  readonly parts: readonly string[]
  /** The NumericDate after which it may be forgotten, since it is refused for its age. */
  readonly until: number
  /** The client, and the key, that its place in the store counts for. */
  readonly owner: IdentifierOwner
  /** Makes the refusal of a second use. */
  readonly replayed: () => ProvisioningError
}

/**
 * Uses something for the only time that it may be used.
 *
 * @throws ProvisioningError what `replayed` makes, when it has been used before; `too_many_proofs`, `store_full`,
 *   `store_unavailable`
 */
export async function useOnce(
  deployment: VerificationRules,
  { parts, until, owner, replayed }: SingleUse,
): Promise<void> {
  const id = createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
  const counted = nameOf(owner)
  const outcome = await callStore(() => deployment.store.useOnce(id, until, counted))
  if (outcome === 'first') return
  if (outcome === 'used') throw replayed()
  if (outcome === 'limited') throw new ProvisioningError('too_many_proofs', TOO_MANY, limited(counted))
  throw new ProvisioningError('store_full', 'The store of proofs is full.')
}

/** The names alone: the owner can be a whole client. */
function nameOf({ clientId, jti, registeredBy }: IdentifierOwner): IdentifierOwner {
  return { clientId, ...(jti !== undefined && { jti }), ...(registeredBy !== undefined && { registeredBy }) }
}

const TOO_MANY =
  'This key, its client, or all clients of its registrar have too many proofs that are still remembered; wait a minute.'

function limited({ clientId, jti }: IdentifierOwner) {
  return { disclosed: true, facts: { clientId, ...(jti !== undefined && { jti }), retryAfterSeconds: 60 } }
}
