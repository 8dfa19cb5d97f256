import { refusalOf } from '../base/caught-refusal.js'
import type { ProvisioningError } from '../base/errors.js'
import { isInNetworks, networkOf } from '../base/network.js'
import type { RequestSource } from '../base/request.js'
import { loadKey } from '../jose/jwt.js'
import {
  type AskingDeployment,
  callStore,
  type StoringDeployment,
  type VerifyingDeployment,
} from '../ports/deployment.js'
import { isActive } from '../ports/issuer-state.js'
import { isLocked } from '../ports/lock.js'
import type { KeyEntry } from '../ports/store.js'
import {
  type Expectation,
  missingScope,
  type Presentation,
  verifyPresentation,
} from '../tokens/presentation.js'
import {
  agentDigest,
  isAsRecorded,
  type KeyClaims,
  PROVISIONING_KEY,
  type VerifiedKey,
  verifiedKey,
} from '../tokens/provisioning-key.js'
import {
  emitStalled,
  isBound,
  type KnownState,
  keyRefusal,
  type RecognizedKey,
  requireState,
  STATE_REFUSALS,
  stateRefusal,
  type Verified,
} from './key-state.js'
import { OutcomeCipher } from './outcome.js'
import { refuseRedeemed } from './replay.js'

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
  // A limit of proofs must not keep a replay from containment: a thief could use it up.
  const proofLimit = isBound(key) ? await refusalOf(() => proof?.spend(key), isLimit) : undefined
  requireNetwork(claims, key, presented.address)
  // A key without the scope cannot have been redeemed here, so it has no outcome to ask for.
  const redeems = expected.redeems === true && missingScope(key.scope, expected.scope) === undefined
  const known =
    'askIssuer' in deployment
      ? await stateAtIssuer(deployment, key, { token, claims })
      : await stateInStore(deployment, key, { claims, redeems, source: presented })
  const { state, recheck } = known
  const deferred = proofLimit ?? known.deferred
  if (deferred !== undefined && state !== 'redeemed') throw deferred
  return { key, state, recheck, deferred, outcomeCipher: new OutcomeCipher(token), proof, certificate }
}

/**
 * Step two of verification: the key must carry the scope (RFC 6750 3.1).
 *
 * @throws ProvisioningError `scope_insufficient`
 */
export function authorizeKey(recognized: RecognizedKey, { scope }: Pick<Expectation, 'scope'>): Verified {
  const missing = missingScope(recognized.key.scope, scope)
  if (missing === undefined) return recognized as Verified
  const message = `The key lacks the scope ${missing}.`
  throw keyRefusal(recognized.key, 'scope_insufficient', message, scope.join(' '))
}

function isLimit({ reason }: ProvisioningError): boolean {
  return reason === 'too_many_proofs' || reason === 'store_full'
}

/** The key may be limited to networks. */
export function requireNetwork({ cidr }: KeyClaims, key: VerifiedKey, address: string | undefined): void {
  if (cidr === undefined || isInNetworks(address, cidr)) return
  const from = address ?? 'an unknown address'
  throw keyRefusal(key, 'network_wrong', `The key may not be presented from ${from}.`)
}

/** Finds the state of a key, and refuses the key if that state does not fit the request. */
async function stateInStore(
  deployment: StoringDeployment,
  key: VerifiedKey,
  {
    claims,
    redeems,
    source,
  }: {
    readonly claims: KeyClaims
    readonly redeems: boolean
    readonly source: RequestSource
  },
): Promise<KnownState> {
  const entry = await callStore(() => deployment.store.find(key))
  if (entry === undefined) throw stateRefusal('key_unknown', key)
  if (!isAsRecorded(claims, entry)) throw forged(deployment, key, source)
  noteNetwork(deployment, entry, source)
  const { state } = entry
  const reason = STATE_REFUSALS[state]
  const recheck = () => requireState(deployment, key, 'issued')
  if (state === 'redeeming') emitStalled(deployment, key, { entry, source })
  const lockRefusal = isLocked(entry) ? stateRefusal('client_locked', key) : undefined
  // A replay of a redeemed key must be contained, although its client is locked.
  if (lockRefusal !== undefined && (state === 'issued' || state === 'redeeming')) throw lockRefusal
  if (reason === undefined || (redeems && state !== 'revoked'))
    return { state, recheck, deferred: lockRefusal }
  if (reason === 'key_redeemed') return refuseRedeemed(deployment, key, { entry, source })
  throw stateRefusal(reason, key)
}

/**
 * Notes a network that presents a key for the first time, and emits an event. The request does not wait for it, and a
 * store that does not answer refuses nothing.
 */
function noteNetwork(deployment: StoringDeployment, entry: KeyEntry, source: RequestSource): void {
  const { issuedTo, issuedToAgent, networks = [] } = entry
  const network = issuedTo === undefined ? undefined : networkOf(source.address)
  if (network === undefined || issuedTo === undefined) return
  if (network === issuedTo || networks.includes(network)) return
  const { jti: keyId, clientId, subject } = entry
  const agentChanged = agentDigest(source.userAgent) !== issuedToAgent
  const details = { keyId, clientId, subject, issuedTo, network, agentChanged }
  deployment.store.notePresentation(entry, network).then(
    (noted) => {
      if (noted.outcome !== 'noted') return
      // The network of the issuance counts too, and is never noted.
      deployment.emit('key.moved', { ...details, networkCount: noted.networks + 1 }, source)
    },
    () => undefined,
  )
}

function forged(deployment: StoringDeployment, key: VerifiedKey, source: RequestSource) {
  const { jti: keyId, clientId, subject } = key
  deployment.emit('key.forged', { keyId, clientId, subject }, source)
  return stateRefusal('key_forged', key)
}

/** The issuer alone contains replays. It does not say why a key is no longer active. */
async function stateAtIssuer(
  { askIssuer }: AskingDeployment,
  key: VerifiedKey,
  { token, claims }: { readonly token: string; readonly claims: KeyClaims },
): Promise<KnownState> {
  const requireActive = async () => {
    if (!(await isActive(askIssuer, token, claims))) throw stateRefusal('inactive_at_issuer', key)
  }
  await requireActive()
  return { state: 'issued', recheck: requireActive }
}
