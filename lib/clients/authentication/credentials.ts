import type { Reason } from '../../base/errors.js'
import type { Parameters, PresentedRequest } from '../../base/request.js'
import type { Client } from '../../ports/client.js'
import type { Deployment } from '../../ports/deployment.js'
import type { ClientAuthenticationMethod } from '../../ports/methods.js'

/** What a request presents to authenticate its client, and how that is judged. */
export interface ClientCredentials {
  /** As the request says; nothing of it has been proven. */
  readonly clientId: string
  /** The method this is, for a client that is registered for one of several that look the same. */
  methodFor(client: Client | undefined): ClientAuthenticationMethod
  /**
   * Why the credentials do not prove that this is the client, if so. It costs the same for a client that does not
   * exist as for one whose credentials are wrong.
   */
  check(deployment: Deployment, client: Client | undefined): Fault | undefined
  /** Uses up what is good for one use; called when everything else holds. */
  spend?(deployment: Deployment, client: Client): Promise<void>
}

/** Why credentials were refused: privately, and in words for the event. */
export interface Fault {
  readonly reason: Reason
  readonly message: string
}

/** Reads one way of authenticating; `undefined` where the request does not use it. */
export type ReadCredentials<C extends ClientCredentials = ClientCredentials> = (
  request: PresentedRequest,
  parameters: Parameters,
) => C | undefined
