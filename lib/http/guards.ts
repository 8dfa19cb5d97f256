import type { Request, RequestHandler, Response } from 'express'
import type { PresentedRequest } from '../base/request.js'
import type { RedemptionHandler } from './redemption-answer.js'

/** What a guarded route wants of a key, or of an access token. */
export interface GuardOptions {
  /** The scope, or all the scopes, it must carry. Default: whatever is for the audience passes. */
  readonly scope?: string | readonly string[]
  /** The audience it must be for. Must be given where the deployment has several; default: its only one. */
  readonly audience?: string
}

/** Guards of the host's own routes. */
export interface Guards {
  /** Lets a key through and leaves it as it is; its identity is `req.provisioning`. */
  requireProvisioningKey(options?: GuardOptions): RequestHandler
  /**
   * Lets a key through once. The answer of the route settles the key: below 400 redeems it, 400 and above releases it.
   *
   * @example
   * app.post('/devices', keys.redeemProvisioningKey({ scope: 'devices:create' }), express.json(), (req, res) => {
   *   res.status(201).json(createDevice(getProvisioning(req).subject, req.body))
   * })
   */
  redeemProvisioningKey(options?: GuardOptions): RequestHandler
  /**
   * Redeems a key by a handler that returns its answer. Use this form for work that must happen exactly once. Put body
   * parsers before it; no handler after it runs.
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
  /** Lets the access token through that a key was redeemed for (RFC 9068 4); its identity is `req.accessToken`. */
  requireAccessToken(options?: GuardOptions): RequestHandler
}

/** A request that a guard lets through. */
export interface AdmittedVisit {
  readonly req: Request
  readonly res: Response
  readonly next: (error?: unknown) => void
  /** Lets a body go on that was paused while the guard waited. */
  readonly resumeBody: () => void
  readonly presented: PresentedRequest
  readonly refuseWith: (error: unknown) => void
}
