import { ProvisioningError, type Reason } from '../base/errors.js'
import { isInNetworks } from '../base/network.js'
import { loadKey } from '../jose/jwt.js'
import type { VerifyingDeployment } from '../ports/deployment.js'
import { missingScope } from '../tokens/expectation.js'
import { type Presentation, verifyPresentation } from '../tokens/presentation.js'
import {
  type KeyClaims,
  PROVISIONING_KEY,
  type VerifiedKey,
  verifiedKey,
} from '../tokens/provisioning-key.js'
import { isBound, keyRefusal } from './key-state.js'
import { OutcomeCipher } from './outcome.js'
import { findState } from './state-check.js'
import type { RecognizedKey } from './verified.js'

/**
 * Step one of verification. It contains replays, so no limit may come before it. The HTTP layer counts the request
 * between the two steps: `authorizeKey` is step two.
 *
 * The proof of a bound key is used here: only its owner can send one. Anybody can send proofs with a bearer key, so such
 * a proof is used when the key is redeemed with it, and fills no memory before.
 */
export async function recognizeKey(
  deployment: VerifyingDeployment,
  presentation: Presentation,
): Promise<RecognizedKey> {
  const { credential, presented, expected } = presentation
  const { token } = credential
  const loading = loadKey(deployment.keyRing, credential.token)
  if (loading !== undefined) await loading
  const { claims, possession } = verifyPresentation(deployment, PROVISIONING_KEY, presentation)
  const { proof, certificate } = possession
  const key = verifiedKey(claims)
  // This comes before every other refusal: a copy of a refused request must be useless.
  const proofLimit = isBound(key) ? await limitOf(() => proof?.spend(key)) : undefined
  requireNetwork(claims, key, presented.address)
  // A key without the scope cannot have been redeemed here, so it has no outcome to ask for.
  const redeems = expected.redeems === true && missingScope(key.scope, expected.scope) === undefined
  const known = await findState(deployment, key, { token, claims, redeems, source: presented })
  const { state, recheck } = known
  const deferred = proofLimit ?? known.deferred
  if (deferred !== undefined && state !== 'redeemed') throw deferred
  return { key, state, recheck, deferred, outcomeCipher: new OutcomeCipher(token), proof, certificate }
}

/**
 * Uses a proof. A limit of proofs is returned and not thrown: no limit may keep a replay from containment, and a thief
 * could use it up.
 */
async function limitOf(useProof: () => Promise<void> | undefined): Promise<ProvisioningError | undefined> {
  try {
    await useProof()
    return undefined
  } catch (error) {
    if (error instanceof ProvisioningError && LIMITS.includes(error.reason)) return error
    throw error
  }
}

const LIMITS: readonly Reason[] = ['too_many_proofs', 'store_full']

/** The key may be limited to networks. */
export function requireNetwork({ cidr }: KeyClaims, key: VerifiedKey, address: string | undefined): void {
  if (cidr === undefined || isInNetworks(address, cidr)) return
  const from = address ?? 'an unknown address'
  throw keyRefusal(key, 'network_wrong', `The key may not be presented from ${from}.`)
}
