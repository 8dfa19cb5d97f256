import { ProvisionError } from './failure.js'
import type { Settings } from './options.js'
import { type PrivateKeyJwk, type Signer, signerOf, thumbprintOf } from './signer.js'
import { loadState, type Result, type SavedKeyPair, type StateStorage, unusable } from './state.js'

/**
 * The signer of a saved key pair.
 *
 * @throws ProvisionError `state_unusable` if it is damaged, or belongs to another signer
 */
export async function signerFor(
  { signer: given, state }: Settings,
  { privateKey, thumbprint }: SavedKeyPair,
): Promise<Signer> {
  if (given === undefined && privateKey === undefined)
    throw unusable('the private key is not in it, and you passed no signer', state)
  const signer = given ?? (await signerOf(privateKey as PrivateKeyJwk).catch(() => undefined))
  if (signer !== undefined && (await thumbprintOf(signer)) === thumbprint) return signer
  const isForeign = given !== undefined
  throw unusable(
    isForeign ? 'it belongs to another key pair than the signer' : 'it is damaged: its private key is wrong',
    state,
  )
}

/**
 * Whether a refused device has another key pair now: another process has renewed the binding, or the answer to a renewal was
 * lost. In both cases the state knows it.
 */
export async function hasOtherPair(
  { storage, settings }: { readonly storage: StateStorage; readonly settings: Settings },
  { keyId }: Result,
  error: unknown,
): Promise<boolean> {
  if (!(error instanceof ProvisionError) || error.oauthError !== 'invalid_client') return false
  const { state } = await loadState(storage, settings)
  return state !== undefined && (state.attempt !== undefined || state.result?.keyId !== keyId)
}
