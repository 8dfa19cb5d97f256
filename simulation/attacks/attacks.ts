import type { RuleId } from '../../lib/index.js'
import type { Attack } from './attack'
import { algorithmTricks, forgedKey, misusedRegistrationToken, skewedClocks, spoofedProxy } from './forgery'
import { canary, clientGuessing, scopeEscalation, sourceGuessing } from './guessing'
import {
  cleartextExposure,
  deadKey,
  leakedKey,
  manyNetworks,
  networkChanged,
  replayedKey,
  wrongPlace,
  wrongProofKey,
} from './stolen-keys'
import {
  fastRedemption,
  issuanceBurst,
  lateRedemption,
  registrationBurst,
  silentClient,
  stockpiling,
} from './volumes'

/** The attacks that each rule must find. The compiler requires one for each rule. */
export const ATTACKS: Readonly<Record<RuleId, Attack>> = {
  replayed_key: replayedKey,
  dead_key: deadKey,
  cleartext_exposure: cleartextExposure,
  forged_key: forgedKey,
  wrong_proof_key: wrongProofKey,
  wrong_place: wrongPlace,
  scope_escalation: scopeEscalation,
  network_changed: networkChanged,
  many_networks: manyNetworks,
  spoofed_proxy: spoofedProxy,
  algorithm_tricks: algorithmTricks,
  client_guessing: clientGuessing,
  source_guessing: sourceGuessing,
  registration_burst: registrationBurst,
  misused_registration_token: misusedRegistrationToken,
  canary,
  leaked_key: leakedKey,
  issuance_burst: issuanceBurst,
  stockpiling,
  fast_redemption: fastRedemption,
  late_redemption: lateRedemption,
  skewed_clocks: skewedClocks,
  silent_client: silentClient,
}
