import type { Request, RequestHandler, Response } from 'express'
import type { PresentedRequest } from '../base/request.js'
import type { RedemptionHandler } from './redemption-answer.js'

/** The requirements of a guarded route. */
export interface GuardOptions {
  /** The scope, or all the scopes, that the key or token must have. Default: no scope is required. */
  readonly scope?: string | readonly string[]
  /** The required audience. Default: the only audience of the deployment. Required if there are several. */
  readonly audience?: string
}

/** Guards for your own routes. */
export interface Guards {
  /** Accepts a key without redeeming it. Sets `req.provisioning` to its identity. */
  requireProvisioningKey(options?: GuardOptions): RequestHandler
  /**
   * Accepts a key once. The status of the route's answer decides: below 400 redeems the key, 400 and above releases it.
   *
   * @example
   * app.post('/devices', keys.redeemProvisioningKey({ scope: 'devices:create' }), express.json(), (req, res) => {
   *   res.status(201).json(createDevice(getProvisioning(req).subject, req.body))
   * })
   */
  redeemProvisioningKey(options?: GuardOptions): RequestHandler
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
  requireAccessToken(options?: GuardOptions): RequestHandler
}

/** A request that a guard accepts. */
export interface AdmittedVisit {
  readonly req: Request
  readonly res: Response
  readonly next: (error?: unknown) => void
  /** Resumes a body that the guard has paused. */
  readonly resumeBody: () => void
  readonly presented: PresentedRequest
  readonly refuseWith: (error: unknown) => void
}
