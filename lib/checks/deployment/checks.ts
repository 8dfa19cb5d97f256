import type { Check } from '../check.js'
import { BINDING_CHECKS } from './binding.js'
import { CLAIM_CHECKS } from './claims.js'
import { CLIENT_AUTHENTICATION_CHECKS } from './client-authentication.js'
import { CONNECTION_CHECKS } from './connection.js'
import type { DeploymentUnderTest } from './deployment-under-test.js'
import { DISCOVERY_CHECKS } from './discovery.js'
import { DPOP_CHECKS } from './dpop.js'
import { ERROR_CHECKS } from './errors.js'
import { FORGERY_CHECKS } from './forgeries.js'
import { ISSUANCE_CHECKS } from './issuance.js'
import { LIFECYCLE_CHECKS } from './lifecycle.js'
import { PROCESS_CHECKS } from './processes.js'
import { PROXY_CHECKS } from './proxy.js'
import { REDEMPTION_CHECKS, REPLAY_CHECKS } from './redemption.js'
import { REGISTRATION_CHECKS } from './registration.js'

/** A check can wait for a rate limit. Each request has a shorter limit of its own. */
const TIMEOUT_SECONDS = 300

/** All checks of a deployment, in their order: harmless ones first. */
export const DEPLOYMENT_CHECKS: readonly Check<DeploymentUnderTest>[] = [
  ...CONNECTION_CHECKS,
  ...DISCOVERY_CHECKS,
  ...ISSUANCE_CHECKS,
  ...PROCESS_CHECKS,
  ...CLAIM_CHECKS,
  ...CLIENT_AUTHENTICATION_CHECKS,
  ...DPOP_CHECKS,
  ...FORGERY_CHECKS,
  ...REDEMPTION_CHECKS,
  ...LIFECYCLE_CHECKS,
  ...PROXY_CHECKS,
  ...REPLAY_CHECKS,
  ...BINDING_CHECKS,
  ...REGISTRATION_CHECKS,
  ...ERROR_CHECKS,
].map((check) => ({ timeoutSeconds: TIMEOUT_SECONDS, ...check }))
