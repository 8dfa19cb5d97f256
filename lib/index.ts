import { type Administration, administration } from './administration/administration.js'
import { guardContext, httpContext } from './http/context.js'
import { type ResourceMetadata, resourceMetadata } from './http/documents.js'
import { type Guards, guards } from './http/guards.js'
import { type Middlewares, middlewares } from './http/middlewares.js'
import { type Readiness, readiness } from './http/readiness.js'
import { type Routers, routers } from './http/routers.js'
import { refuseUncalled } from './http/routing.js'
import type { EventHub } from './monitoring/event-hub.js'
import { startMonitoring } from './operations/monitoring.js'
import { type Operations, operations } from './operations/operations.js'
import { describeIssuer, describeVerifier, withDescription } from './options/description.js'
import { parseOptions } from './options/options.js'
import type { ProvisioningOptions } from './options/provisioning-options.js'
import { parseVerifierOptions } from './options/verifier.js'
import type { VerifierOptions } from './options/verifier-options.js'

/**
 * The middlewares of one deployment. You can use each alone. `router()` serves all endpoints.
 *
 * @example
 * function mount(keys: ProvisioningKeys) {
 *   app.use(keys.enforceHttps(), keys.router())
 *   keys.on('key.replayed', ({ keyId }) => console.error(`the key ${keyId} was copied`))
 * }
 */
export interface ProvisioningKeys
  extends Routers,
    Guards,
    Middlewares,
    Readiness,
    Operations,
    Administration,
    Pick<EventHub, 'on' | 'droppedEvents'> {}

/**
 * Makes the middlewares of a deployment.
 *
 * @throws ConfigurationError with all faults of the options
 *
 * @example
 * const { SIGNING_KEY = '', FLEET_SECRET = '' } = process.env
 * const keys = provisioningKeys({
 *   issuer: 'https://auth.example.com',
 *   audience: 'https://api.example.com',
 *   signingKeys: SIGNING_KEY,
 *   clients: [{ clientId: 'fleet', clientSecret: FLEET_SECRET }],
 * })
 * app.use(keys.router())
 */
export function provisioningKeys(options: ProvisioningOptions): ProvisioningKeys {
  const config = parseOptions(options)
  const context = httpContext(config)
  if (config.monitoring !== false)
    startMonitoring(config.deployment, config.events, config.monitoring, context.background)
  const drainState = { isDraining: false }
  const operate = operations(config)
  const keys: ProvisioningKeys = {
    ...refuseUncalled(context, {
      ...routers(context),
      ...guards(context),
      ...middlewares(context),
      ...readiness(context, drainState),
      ...administration({ context, operations: operate, drainState }),
    }),
    ...operate,
    on: config.events.on,
    droppedEvents: config.events.droppedEvents,
  }
  return Object.freeze(withDescription(keys, describeIssuer(options, config)))
}

/**
 * The guards of an API whose keys are issued by another process.
 *
 * @example
 * function protect(verifier: ProvisioningKeyVerifier) {
 *   app.use(verifier.metadata())
 *   app.get('/devices', verifier.requireProvisioningKey({ scope: 'devices:read' }), (req, res) => res.json([]))
 * }
 */
export interface ProvisioningKeyVerifier
  extends Guards,
    Middlewares,
    Readiness,
    ResourceMetadata,
    Pick<EventHub, 'on' | 'droppedEvents'> {}

/**
 * Makes the guards of an API that verifies keys and does not issue any. It fetches nothing from the issuer before the
 * first request needs it.
 *
 * @throws ConfigurationError with all faults of the options
 *
 * @example
 * const { API_SECRET = '' } = process.env
 * const verifier = provisioningKeyVerifier({
 *   issuer: 'https://auth.example.com',
 *   audience: 'https://api.example.com',
 *   jwks: 'https://auth.example.com/oauth/jwks',
 *   introspection: { clientId: 'api', clientSecret: API_SECRET },
 * })
 * app.use('/devices', verifier.requireProvisioningKey({ scope: 'devices:read' }))
 */
export function provisioningKeyVerifier(options: VerifierOptions): ProvisioningKeyVerifier {
  const config = parseVerifierOptions(options)
  const context = guardContext(config)
  if (config.monitoring !== false)
    startMonitoring(config.deployment, config.events, config.monitoring, context.background)
  const verifier: ProvisioningKeyVerifier = {
    ...refuseUncalled(context, {
      ...guards(context),
      ...middlewares(context),
      ...readiness(context),
      ...resourceMetadata(context),
    }),
    on: config.events.on,
    droppedEvents: config.events.droppedEvents,
  }
  return Object.freeze(withDescription(verifier, describeVerifier(options, config)))
}

export type {
  AdministrationAccess,
  AdministrationOptions,
  AdministrationRole,
} from './administration/administration-options.js'
export { ConfigurationError, type ErrorCode, ProvisioningError, type Reason } from './base/errors.js'
export { hashSecret } from './base/secret.js'
export type { BindingRef, RevokeBindingOutcome } from './clients/bindings.js'
export type { GuardOptions } from './http/guard-options.js'
export {
  type AccessTokenInfo,
  getAccessToken,
  getProvisioning,
  type Provisioning,
} from './http/identities.js'
export type { RedemptionAnswer, RedemptionHandler } from './http/redemption-answer.js'
export type { Jwk, JwkSet, KeyAlgorithm, PublicJwk } from './jose/jwk.js'
export type { MeterProviderLike, TracerProviderLike } from './monitoring/providers.js'
export type { RuleId, RuleResponse, Threshold } from './monitoring/rules/rule.js'
export type { TelemetryOptions } from './monitoring/telemetry.js'
export type { IssuedKeyRef, Operations, RevokeAllOptions } from './operations/operations.js'
export type { RotatedKey, RotationOptions } from './operations/signing-keys.js'
export type { AuditOptions } from './options/audit.js'
export type { ClientOptions } from './options/client.js'
export type { ClientLookup } from './options/clients.js'
export type { DpopOptions } from './options/dpop.js'
export { generateSigningKeys } from './options/generated-keys.js'
export type { ExemptionOptions, MonitoringOptions, RuleOptions } from './options/monitoring.js'
export type { MtlsOptions } from './options/mtls.js'
export type { DocsOptions, ProvisioningOptions } from './options/provisioning-options.js'
export type { EndpointLimit, RateLimitOptions } from './options/rate-limits.js'
export type { RegistrationOptions, SoftwareStatementIssuer } from './options/registration.js'
export type { IntrospectionOptions, JwksCacheOptions } from './options/remote.js'
export type {
  KeyMaterial,
  SigningKeyInput,
  SigningKeyOptions,
} from './options/signing-keys.js'
export type { VerifierOptions } from './options/verifier-options.js'
export type {
  AccessTokenIdentity,
  IssueAccessToken,
  IssuedAccessToken,
} from './ports/access-token-identity.js'
export type {
  Binding,
  Client,
  ClientMetadata,
  ClientRegistry,
  Registration,
  RegistrationToken,
} from './ports/client.js'
export type {
  EventOf,
  EventType,
  Observer,
  ProvisioningEvent,
  Severity,
} from './ports/events.js'
export type { ClientAuthenticationMethod } from './ports/methods.js'
export type { PolicyOptions, Rebinding, ReplayContainment, SenderConstraint } from './ports/policy-options.js'
export type { FamilyEnd, FamilyFate, RedemptionAction } from './ports/redemption.js'
export type {
  ProposedRegistration,
  RegistrationPolicy,
  RegistrationVerdict,
} from './ports/rules.js'
export type {
  ClientUse,
  CloseFindingOutcome,
  Confirmation,
  Evidence,
  Finding,
  KeyCounts,
  KeyEntry,
  KeyPage,
  KeyQuery,
  KeyRef,
  Lock,
  LockKind,
  LockOutcome,
  ProvisioningStore,
  RevokeFamilyOutcome,
  RevokeIssuedOutcome,
  RevokeOutcome,
  UnlockOutcome,
} from './ports/store.js'
export type { DeleteOutcome } from './registration/deletion.js'
export { memoryStore } from './stores/memory/memory.js'
export type { MemoryStoreOptions } from './stores/memory/memory-options.js'
