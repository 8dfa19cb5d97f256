import type { Reason } from '../../base/errors.js'
import type { Parameters, PresentedRequest } from '../../base/request.js'
import type { Client } from '../../ports/client.js'
import type { Deployment } from '../../ports/deployment.js'
import type { ClientAuthenticationMethod } from '../../ports/methods.js'

/** The credentials of a client in a request, and how they are checked. */
export interface ClientCredentials {
  /** The client id in the request. It is not proven yet. */
  readonly clientId: string
  /** The method of these credentials. A certificate can belong to two methods, and the record of the client decides. */
  methodFor(client: Client | undefined): ClientAuthenticationMethod
  /**
   * Returns the fault, or `undefined` if the credentials prove the identity of the client. It takes as long for a client
   * that does not exist as for one with other credentials.
   */
  check(deployment: Deployment, client: Client | undefined): Fault | undefined
  /** The bound key or certificate that proves the identity, if one does. Called after all checks have passed. */
  provenKey?(): { readonly jkt?: string | undefined; readonly certificate?: string | undefined }
  /** Spends single-use credentials. Called after all checks have passed. */
  spend?(deployment: Deployment, client: Client): Promise<void>
}

/** Why credentials are refused, for the event. The answer does not show it. */
export interface Fault {
  readonly reason: Reason
  readonly message: string
}

export const METHOD_REFUSED: Fault = {
  reason: 'client_method_refused',
  message: 'The client may not use this authentication method; register or configure it for the client.',
}

/** Reads the credentials of one method. Returns `undefined` if the request does not use it. */
export type ReadCredentials = (
  request: PresentedRequest,
  parameters: Parameters,
) => ClientCredentials | undefined
