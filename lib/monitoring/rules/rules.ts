import * as clientRules from './client-rules.js'
import { fastRedemption } from './fast-redemption.js'
import { issuanceBurst } from './issuance-burst.js'
import * as keyRules from './key-rules.js'
import { lateRedemption } from './late-redemption.js'
import * as requestRules from './request-rules.js'
import type { Rule, RuleId } from './rule.js'
import { silentClient } from './silent-client.js'
import { skewedClocks } from './skewed-clocks.js'
import { stockpiling } from './stockpiling.js'

/** All rules: those that find evidence first. */
export const RULES: Readonly<Record<RuleId, Rule>> = Object.freeze({
  replayed_key: keyRules.replayedKey,
  dead_key: keyRules.deadKey,
  cleartext_exposure: keyRules.cleartextExposure,
  forged_key: keyRules.forgedKey,
  wrong_proof_key: keyRules.wrongProofKey,
  wrong_place: keyRules.wrongPlace,
  scope_escalation: requestRules.scopeEscalation,
  network_changed: keyRules.networkChanged,
  many_networks: keyRules.manyNetworks,
  spoofed_proxy: requestRules.spoofedProxy,
  algorithm_tricks: requestRules.algorithmTricks,
  client_guessing: requestRules.clientGuessing,
  source_guessing: requestRules.sourceGuessing,
  registration_burst: clientRules.registrationBurst,
  misused_registration_token: clientRules.misusedRegistrationToken,
  canary: clientRules.canary,
  leaked_key: keyRules.leakedKey,
  issuance_burst: issuanceBurst,
  stockpiling: stockpiling,
  fast_redemption: fastRedemption,
  late_redemption: lateRedemption,
  skewed_clocks: skewedClocks,
  silent_client: silentClient,
})
