import { createHash } from 'node:crypto'
import { asking, type VerificationRules } from './deployment.js'
import { ProvisioningError } from './errors.js'

/**
 * Uses what `parts` identify for the only time that it may be used. The store is told a hash of it, which tells nothing.
 *
 * @param until the NumericDate after which it may be forgotten, since it is refused for its age
 * @throws ProvisioningError what `replayed` makes, when it has been used before; `store_full`, `store_unavailable`
 */
export async function useOnce(
  deployment: VerificationRules,
  parts: readonly string[],
  until: number,
  replayed: () => ProvisioningError,
): Promise<void> {
  const id = createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
  const outcome = await asking(() => deployment.store.useOnce(id, until))
  if (outcome === 'first') return
  if (outcome === 'used') throw replayed()
  throw new ProvisioningError('store_full', 'The store of proofs is full.')
}
