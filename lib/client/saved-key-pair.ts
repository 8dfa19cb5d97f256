import type { Settings } from './options.js'
import { type PrivateKeyJwk, type Signer, signerOf, thumbprintOf } from './signer.js'
import { type SavedKeyPair, unusable } from './state.js'

/**
 * The signer of a saved key pair.
 *
 * @throws ProvisionError `state_unusable`
 */
export async function signerFor(
  settings: Settings,
  { privateKey, thumbprint }: SavedKeyPair,
): Promise<Signer> {
  if (settings.signer !== undefined) return settings.signer
  const signer = await signerOf(privateKey as PrivateKeyJwk).catch(() => undefined)
  if (signer === undefined || (await thumbprintOf(signer)) !== thumbprint)
    throw unusable('it is damaged: its private key is wrong', settings.state)
  return signer
}

/** @throws ProvisionError `state_unusable` */
export async function requireSameSigner(
  { signer, state }: Settings,
  pair: SavedKeyPair | undefined,
): Promise<void> {
  if (pair === undefined) return
  if (signer === undefined && pair.privateKey === undefined)
    throw unusable('the private key is not in it, and you passed no signer', state)
  if (signer !== undefined && (await thumbprintOf(signer)) !== pair.thumbprint)
    throw unusable('it belongs to another key pair than the signer', state)
}
