import { createHash } from 'node:crypto'
import { ProvisioningError } from '../base/errors.js'
import { callStore, type VerificationRules } from '../ports/deployment.js'
import type { IdentifierOwner } from '../ports/store.js'

/** An identifier that may be used only once, such as that of a proof or an assertion. */
export interface SingleUse {
  /** The parts of the identifier. The store gets only their hash, which reveals nothing. */
  readonly parts: readonly string[]
  /** The NumericDate after which it can be forgotten, because it is then refused for its age. */
  readonly until: number
  /** The client, and the key if there is one, for which it counts. */
  readonly owner: IdentifierOwner
  /** Makes the refusal for a second use. */
  readonly replayed: () => ProvisioningError
}

/**
 * Uses an identifier.
 *
 * @throws ProvisioningError the one of `replayed` when it was used before; `too_many_proofs`, `store_full`,
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

/** Only the identifying members: the given owner can be a complete client or key. */
function nameOf({ clientId, jti, registeredBy }: IdentifierOwner): IdentifierOwner {
  return { clientId, ...(jti !== undefined && { jti }), ...(registeredBy !== undefined && { registeredBy }) }
}

const TOO_MANY =
  'This key, its client, or all clients of its registrar have too many proofs that are remembered; wait a minute.'

function limited({ clientId, jti }: IdentifierOwner) {
  return { disclosed: true, facts: { clientId, ...(jti !== undefined && { jti }), retryAfterSeconds: 60 } }
}
