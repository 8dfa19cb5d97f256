import type { Deployment } from '../../ports/deployment.js'
import { type ClientInformation, informationOf } from '../information.js'
import { authorize, type Managed, type ManagementRequest, refused } from './authorization.js'

/** Counts a request against a client that has proven who it is. */
export type Count = (clientId: string) => Promise<void>

/** Tells a client how it is registered (RFC 7592 2.1). */
export type ReadRegistration = (request: ManagementRequest, count: Count) => Promise<ClientInformation>

export function registrationReader(deployment: Deployment): ReadRegistration {
  return async function readRegistration(request, count) {
    const { client, token } = await managing(deployment, request, count)
    return informationOf(client, { token: token.text })
  }
}

/** The client that manages itself; one that is being deleted has nothing left to manage. */
export async function managing(
  deployment: Deployment,
  request: ManagementRequest,
  count: Count,
): Promise<Managed> {
  const managed = await authorize(deployment, request)
  const { clientId, deletedAt } = managed.client
  if (deletedAt !== undefined) throw refused('registration_token_wrong', clientId)
  await count(clientId)
  return managed
}
