import { algorithmTricks } from './algorithm-tricks.js'
import { canary } from './canary.js'
import { cleartextExposure } from './cleartext-exposure.js'
import { clientGuessing } from './client-guessing.js'
import { deadKey } from './dead-key.js'
import { fastRedemption } from './fast-redemption.js'
import { forgedKey } from './forged-key.js'
import { issuanceBurst } from './issuance-burst.js'
import { lateRedemption } from './late-redemption.js'
import { leakedKey } from './leaked-key.js'
import { manyNetworks } from './many-networks.js'
import { misusedRegistrationToken } from './misused-registration-token.js'
import { networkChanged } from './network-changed.js'
import { registrationBurst } from './registration-burst.js'
import { replayedKey } from './replayed-key.js'
import type { Rule, RuleId } from './rule.js'
import { scopeEscalation } from './scope-escalation.js'
import { silentClient } from './silent-client.js'
import { skewedClocks } from './skewed-clocks.js'
import { sourceGuessing } from './source-guessing.js'
import { spoofedProxy } from './spoofed-proxy.js'
import { stockpiling } from './stockpiling.js'
import { wrongPlace } from './wrong-place.js'
import { wrongProofKey } from './wrong-proof-key.js'

/** All rules: those that find evidence first. */
export const RULES: Readonly<Record<RuleId, Rule>> = Object.freeze({
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
  canary: canary,
  leaked_key: leakedKey,
  issuance_burst: issuanceBurst,
  stockpiling: stockpiling,
  fast_redemption: fastRedemption,
  late_redemption: lateRedemption,
  skewed_clocks: skewedClocks,
  silent_client: silentClient,
})
