import type { Deployment } from '../../ports/deployment.js'
import { deleteClient } from '../deletion.js'
import { type ClientInformation, informationOf } from '../information.js'
import { authorize, authorizeUnlessDeleted, type Count, type ManagementRequest } from './authorization.js'

/** Shows a client its registration (RFC 7592 2.1). */
export async function readRegistration(
  deployment: Deployment,
  request: ManagementRequest,
  count: Count,
): Promise<ClientInformation> {
  const { client, token } = await authorizeUnlessDeleted(deployment, request, count)
  return informationOf(client, { token: token.text })
}

/** Deletes a client at its own request (RFC 7592 2.3). The request also resumes a deletion that failed halfway. */
export async function deleteRegistration(
  deployment: Deployment,
  request: ManagementRequest,
  count: Count,
): Promise<void> {
  const { client } = await authorize(deployment, request)
  await count(client.clientId)
  await deleteClient(deployment, client.clientId, { by: 'client', source: request.presented })
}
