import type { Request, Response } from 'express'
import type { ProvisioningError } from '../base/errors.js'
import type { Parameters, PresentedRequest } from '../base/request.js'
import { type AuthenticatedClient, authenticateClient } from '../clients/authentication/authenticate.js'
import { noteCanary } from '../clients/canary.js'
import type { EndpointName } from '../ports/events.js'
import type { Target } from '../possession/target.js'
import type { HttpContext } from './context.js'
import type { Answer } from './wire.js'

/** The limits of one request that redeems a key. */
export interface KeyLimits {
  /** The refusal of the address, when too many requests come from it. */
  readonly addressRefusal: ProvisioningError | undefined
  /** Counts the request against its key. */
  readonly countKey: (jti: string) => Promise<void> | undefined
}

/** One request at one of our endpoints. */
export interface Visit {
  readonly context: HttpContext
  readonly endpoint: EndpointName
  readonly req: Request
  readonly res: Response
  readonly presented: PresentedRequest
  /** The request target that a DPoP proof must name. */
  readonly target: Target
  /** Counts the request against a client that has proven its identity. */
  readonly limitClient: (clientId: string) => Promise<void> | undefined
  /** The limits of the key that the request redeems. */
  readonly keyLimits: KeyLimits
}

/** Answers a visit; `undefined` leaves it to the next router. */
export type Handle = (visit: Visit) => Promise<Answer | undefined>

/** Authenticates the client that sends a form, and counts the request against the client. */
export async function authenticatedForm(visit: Visit): Promise<[AuthenticatedClient, Parameters]> {
  const { context, req, res, keyLimits } = visit
  if (keyLimits.addressRefusal !== undefined) throw keyLimits.addressRefusal
  const parameters = await context.form(req, res)
  const client = await authenticate(visit, parameters)
  await visit.limitClient(client.clientId)
  return [client, parameters]
}

/** Authenticates the client of a request. The use of a canary is an event, also if the request is refused later. */
export async function authenticate(
  { context, endpoint, presented }: Visit,
  parameters: Parameters,
): Promise<AuthenticatedClient> {
  const { deployment } = context.config
  const client = await authenticateClient(deployment, presented, parameters)
  noteCanary(deployment, { clientId: client.clientId, endpoint }, client.source)
  return client
}

export function ok(body: object): Answer {
  return { status: 200, body }
}

export function created(body: object): Answer {
  return { status: 201, body }
}
