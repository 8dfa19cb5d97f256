import type { RequestHandler } from 'express'
import { ConfigurationError } from '../base/errors.js'
import { describe } from '../base/faults.js'
import type { Verified } from '../redemption/key-state.js'
import { type AcceptedToken, verifyAccessToken } from '../tokens/access-verification.js'
import type { GuardContext } from './context.js'
import { type AcceptedRequest, type GuardKind, guard } from './guard.js'
import type { GuardOptions } from './guard-options.js'
import { attachAccessToken, attachProvisioning } from './identities.js'
import { acceptRedeeming } from './redeeming.js'
import type { RedemptionHandler } from './redemption-answer.js'
import { bodyReceiver, checkAtEnd, isGone } from './request-body.js'
import { verifyCounted } from './verify-key.js'

/** Guards for your own routes. */
export interface Guards {
  /** Accepts a key without redeeming it. Sets `req.provisioning` to its identity. */
  requireProvisioningKey(options: GuardOptions): RequestHandler
  /**
   * Accepts a key once. The status of the route's answer decides: below 400 redeems the key, 400 and above releases it.
   *
   * @example
   * app.post('/devices', keys.redeemProvisioningKey({ scope: 'devices:create' }), express.json(), (req, res) => {
   *   res.status(201).json(createDevice(getProvisioning(req).subject, req.body))
   * })
   */
  redeemProvisioningKey(options: GuardOptions): RequestHandler
  /**
   * Redeems a key with a handler that returns its answer. Use this form for work that must happen exactly once. Put
   * body parsers before it. Handlers after it do not run.
   *
   * @example
   * app.post(
   *   '/devices',
   *   express.json(),
   *   keys.redeemProvisioningKey({ scope: 'devices:create' }, async (req, { subject, redemptionId }) => {
   *     const device = await createDevice(subject, req.body, redemptionId)
   *     return { status: 201, body: device }
   *   }),
   * )
   */
  redeemProvisioningKey(options: GuardOptions, handler: RedemptionHandler): RequestHandler
  /** Accepts the access token of a redeemed key (RFC 9068 4). Sets `req.accessToken` to its identity. */
  requireAccessToken(options: GuardOptions): RequestHandler
}

export function guards(context: GuardContext): Guards {
  const receiveBody = bodyReceiver()
  const requireKey = keyGuard(context)
  const requireToken = tokenGuard(context)
  return {
    requireProvisioningKey: (options) => guard(context, requireKey, options),
    redeemProvisioningKey(options: GuardOptions, ...handlers: RedemptionHandler[]) {
      const { deployment } = context.config
      if ('askIssuer' in deployment) throw new ConfigurationError([NO_STORE])
      const route = { deployment, receiveBody, handler: readHandler(options, handlers) }
      const kind: GuardKind<Verified> = {
        name: 'redeemProvisioningKey',
        credential: 'provisioning key',
        endpoint: 'redeem',
        verify: (presentation, limits, observation) =>
          verifyCounted(deployment, limits, presentation, observation),
        accept: (accepted, verified, observation) => acceptRedeeming(route, accepted, verified, observation),
      }
      return guard(context, kind, options)
    },
    requireAccessToken: (options) => guard(context, requireToken, options),
  }
}

function keyGuard(context: GuardContext): GuardKind<Verified> {
  const { deployment } = context.config
  return {
    name: 'requireProvisioningKey',
    credential: 'provisioning key',
    endpoint: 'resource',
    verify: keyVerifier(context),
    accept(accepted, { key, recheck }) {
      const { jti: keyId, clientId, subject } = key
      proceed(accepted, recheck, () => {
        deployment.emit('key.verified', { keyId, clientId, subject }, accepted.presented)
        attachProvisioning(accepted.req, key)
      })
    },
  }
}

/** Decides once how verifications are measured, so that without telemetry no request does any work for it. */
function keyVerifier({ config: { deployment, useCases } }: GuardContext): GuardKind<Verified>['verify'] {
  const verify: GuardKind<Verified>['verify'] = (presentation, limits, observation) =>
    verifyCounted(deployment, limits, presentation, observation)
  if (useCases === undefined) return verify
  const begin = useCases.beginVerification
  if (begin !== undefined)
    return (presentation, limits) => verifyCounted(deployment, limits, presentation, begin())
  return (presentation, limits) =>
    useCases.observe('verify', (observation) => verify(presentation, limits, observation))
}

function tokenGuard({ config: { deployment } }: GuardContext): GuardKind<AcceptedToken> {
  return {
    name: 'requireAccessToken',
    credential: 'access token',
    endpoint: 'resource',
    verify: (presentation) => verifyAccessToken(deployment, presentation),
    accept(accepted, { token, recheck }) {
      const { keyId, keyClientId: clientId, subject, jti: tokenId } = token
      proceed(accepted, recheck, () => {
        deployment.emit('token.verified', { keyId, clientId, subject, tokenId }, accepted.presented)
        attachAccessToken(accepted.req, token)
      })
    },
  }
}

/** Hands an accepted request to the next handler, unless its connection is closed. */
function proceed(accepted: AcceptedRequest, recheck: () => Promise<void>, attach: () => void): void {
  const { req, res, next, refuseWith } = accepted
  if (isGone(req, res)) return
  attach()
  checkAtEnd(req, res, recheck, refuseWith)
  next()
}

const NO_STORE =
  'redeemProvisioningKey: expected a store, got introspection: the issuer can say whether a key is active, but only a ' +
  'process that shares its store can reserve a key. Set store, or use requireProvisioningKey here'

/** @throws ConfigurationError when the handler is not a function, or stands where the options belong */
function readHandler(options: unknown, handlers: readonly unknown[]): RedemptionHandler | undefined {
  const [handler] = handlers
  if (handlers.length === 0 && typeof options !== 'function') return undefined
  if (handlers.length === 1 && typeof handler === 'function') return handler as RedemptionHandler
  const got = describe(typeof options === 'function' ? options : handler)
  throw new ConfigurationError([
    `redeemProvisioningKey: expected (options, async (req, provisioning) => ({ status, body })), got ${got}`,
  ])
}
