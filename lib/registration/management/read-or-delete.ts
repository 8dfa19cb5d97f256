import type { Deployment } from '../../ports/deployment.js'
import { deleteClient } from '../deletion.js'
import { type ClientInformation, informationOf } from '../information.js'
import { authorize, authorizeUnlessDeleted, type Count, type ManagementRequest } from './authorization.js'

/** Answers a client with its registration (RFC 7592 2.1). */
export type ReadRegistration = (request: ManagementRequest, count: Count) => Promise<ClientInformation>

export function registrationReader(deployment: Deployment): ReadRegistration {
  return async function readRegistration(request, count) {
    const { client, token } = await authorizeUnlessDeleted(deployment, request, count)
    return informationOf(client, { token: token.text })
  }
}

/** Deletes a client at its own request (RFC 7592 2.3). The request also resumes a deletion that failed halfway. */
export type DeleteRegistration = (request: ManagementRequest, count: Count) => Promise<void>

export function registrationDeleter(deployment: Deployment): DeleteRegistration {
  return async function deleteRegistration(request, count) {
    const { client } = await authorize(deployment, request)
    await count(client.clientId)
    await deleteClient(deployment, client.clientId, { by: 'client' })
  }
}
