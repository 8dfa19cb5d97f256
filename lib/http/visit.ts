import type { Request, Response } from 'express'
import type { Parameters, PresentedRequest } from '../base/request.js'
import type { AuthenticatedClient } from '../clients/authentication/authenticate.js'
import type { PresentedCredential } from '../possession/possession.js'
import type { Target } from '../possession/target.js'
import type { Verified } from '../redemption/verified.js'
import type { HttpContext } from './context.js'
import { type KeyLimits, verifyCounted } from './key-limits.js'
import type { Answer } from './wire.js'

/** One request at one of our endpoints. */
export interface Visit {
  readonly context: HttpContext
  readonly req: Request
  readonly res: Response
  readonly presented: PresentedRequest
  /** The request target that a DPoP proof must name. */
  readonly target: Target
  /** Counts the request against a client that has proven its identity. */
  readonly limitClient: (clientId: string) => Promise<void>
  /** The limits of the key that the request redeems. */
  readonly keyLimits: KeyLimits
}

/** Answers a visit; `undefined` leaves it to the next router. */
export type Handle = (visit: Visit) => Promise<Answer | undefined>

/** Authenticates the client that sends a form, and counts the request against the client. */
export async function authenticatedForm(visit: Visit): Promise<[AuthenticatedClient, Parameters]> {
  const { context, req, res, presented, keyLimits } = visit
  if (keyLimits.addressRefusal !== undefined) throw keyLimits.addressRefusal
  const parameters = await context.form(req, res)
  const client = await context.useCases.authenticate(presented, parameters)
  await visit.limitClient(client.clientId)
  return [client, parameters]
}

/** Verifies the key of a request and runs the action that the key is redeemed for. Replays are contained. */
export async function redeemKey<T>(
  { context, presented, target, keyLimits }: Visit,
  presentedKey: PresentedCredential,
  scope: string,
  act: (verified: Verified) => Promise<T>,
): Promise<T> {
  const { useCases, config } = context
  const expected = { audiences: config.deployment.audiences, scope: [scope], target, redeems: true }
  const request = { presentedKey, presented, expected }
  const { verified, refusal } = await verifyCounted(useCases, keyLimits, request)
  const result = await useCases.containReplays(verified, presented.address, () => act(verified))
  // Only a repeated redemption reaches this line despite a limit.
  if (refusal !== undefined) throw refusal
  return result
}

export function ok(body: object): Answer {
  return { status: 200, body }
}

export function created(body: object): Answer {
  return { status: 201, body }
}
