import type { RequestSource } from '../base/request.js'
import {
  type AskingDeployment,
  callStore,
  type StoringDeployment,
  type VerifyingDeployment,
} from '../ports/deployment.js'
import { isActive } from '../ports/issuer-state.js'
import { isLocked } from '../ports/lock.js'
import { isAsRecorded, type KeyClaims, type VerifiedKey } from '../tokens/provisioning-key.js'
import { emitStalled, requireState, STATE_REFUSALS, stateRefusal } from './key-state.js'
import { noteNetwork } from './moved-key.js'
import { refuseRedeemed } from './replay.js'
import type { KnownState } from './verified.js'

/** A key whose possession is proven, and how the request presents it. */
export interface KeyPresentation {
  readonly token: string
  readonly claims: KeyClaims
  /** Whether the request redeems the key. */
  readonly redeems: boolean
  readonly source: RequestSource
}

/** Finds the state of a key, and refuses the key if that state does not fit the request. */
export function findState(
  deployment: VerifyingDeployment,
  key: VerifiedKey,
  presentation: KeyPresentation,
): Promise<KnownState> {
  return 'askIssuer' in deployment
    ? stateAtIssuer(deployment, key, presentation)
    : stateInStore(deployment, key, presentation)
}

async function stateInStore(
  deployment: StoringDeployment,
  key: VerifiedKey,
  { claims, redeems, source }: KeyPresentation,
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

function forged(deployment: StoringDeployment, key: VerifiedKey, source: RequestSource) {
  const { jti: keyId, clientId, subject } = key
  deployment.emit('key.forged', { keyId, clientId, subject }, source)
  return stateRefusal('key_forged', key)
}

/** The issuer alone contains replays. It does not say why a key is no longer active. */
async function stateAtIssuer(
  { askIssuer }: AskingDeployment,
  key: VerifiedKey,
  { token, claims }: KeyPresentation,
): Promise<KnownState> {
  const requireActive = async () => {
    if (!(await isActive(askIssuer, token, claims))) throw stateRefusal('inactive_at_issuer', key)
  }
  await requireActive()
  return { state: 'issued', recheck: requireActive }
}
