import { SCOPE } from '../monitoring/meters.js'
import type { ProvisioningEvent } from '../ports/events.js'
import { type EventMembers, present } from './event-members.js'

/** A client is no person. */
const SERVICE_ACCOUNT = 4

const OTHER = 99

/** "Client Token": a token that an identity provider has issued to an application. */
const CLIENT_TOKEN = 6

const MINUTE = 60_000

/** Where the request came from, and with which program. */
function requestAttributes(members: EventMembers) {
  const status = members.number('status')
  return {
    src_endpoint: present({ ip: members.text('address') }),
    http_request: present({ user_agent: members.text('userAgent') }),
    http_response: present({ code: status }),
    status_code: members.text('reason'),
    status_detail: members.text('detail'),
  }
}

/** The attributes of Authentication. */
export function authenticationAttributes(members: EventMembers, event: ProvisioningEvent) {
  const [clientId, subject] = [members.text('clientId'), members.text('subject')]
  const uid = subject ?? clientId
  return {
    ...requestAttributes(members),
    user: uid === undefined ? { name: 'unknown' } : { uid, type_id: SERVICE_ACCOUNT },
    actor: present({ app_uid: clientId }),
    service: { name: SCOPE.name },
    auth_protocol_id: 6,
    auth_protocol: 'OAUTH 2.0',
    is_remote: true,
    is_cleartext: event.type.endsWith('.exposed'),
    authentication_token: tokenOf(members, event),
  }
}

/** This class has no type for a client token, so the name says which one it is. */
function tokenOf(members: EventMembers, event: ProvisioningEvent) {
  const tokenId = members.text('tokenId')
  const uid = tokenId ?? (event as { readonly keyId?: string }).keyId
  if (uid === undefined) return undefined
  return present({
    uid,
    type_id: OTHER,
    type: tokenId === undefined ? 'Provisioning Key' : 'Access Token',
    created_time: members.milliseconds('issuedAt'),
    expiration_time: members.milliseconds('expiresAt'),
  })
}

/** The attributes of Entity Management. */
export function entityAttributes(members: EventMembers, event: ProvisioningEvent) {
  const entity = entityOf(members, event)
  // The reason for a lock is a text of the operator, and no code.
  const comment = members.text('reason')
  const [clientId, author] = [members.text('clientId'), members.text('author')]
  const user = author === undefined ? undefined : { name: author }
  const actor = present({ app_uid: clientId === entity.uid ? undefined : clientId, user })
  return { ...requestAttributes(members), entity, actor, comment }
}

function entityOf(members: EventMembers, event: ProvisioningEvent) {
  const kid = members.text('kid')
  if (kid !== undefined) return { uid: kid, type_id: OTHER, type: 'Signing Key' }
  const bound = event.type === 'client.bound' ? members.text('subject') : undefined
  const clientId = (event as { readonly clientId?: string }).clientId
  return {
    uid: members.text('registeredClientId') ?? bound ?? clientId,
    type_id: OTHER,
    type: 'OAuth Client',
  }
}

/** The attributes of API Activity. */
export function apiAttributes(members: EventMembers, event: ProvisioningEvent) {
  const { src_endpoint, ...request } = requestAttributes(members)
  const [clientId, subject] = [members.text('clientId'), members.text('subject')]
  const user = subject === undefined ? undefined : { uid: subject, type_id: SERVICE_ACCOUNT }
  // This class requires both. A call of your own code has no address: it comes from this app.
  const unknown = src_endpoint === undefined ? { app_name: SCOPE.name } : { app_name: 'unknown' }
  return {
    ...request,
    src_endpoint: src_endpoint ?? { svc_name: SCOPE.name },
    actor: present({ app_uid: clientId, user }) ?? unknown,
    api: present({
      operation: members.text('endpoint') ?? event.type,
      service: { name: SCOPE.name },
      response: present({
        code: request.http_response?.['code'],
        error: members.text('error'),
        error_message: request.status_detail,
      }),
      token: apiTokenOf(members, event),
    }),
    ...summaryOf(members, event),
    trace: present({ uid: members.text('traceId') }),
  }
}

/** OCSF wants the times of a summary. One is about the minute before it. */
function summaryOf(members: EventMembers, event: ProvisioningEvent) {
  const count = members.number('count')
  if (count === undefined) return {}
  const end = event.at.getTime()
  return { count, start_time: end - MINUTE, end_time: end }
}

function apiTokenOf(members: EventMembers, event: ProvisioningEvent) {
  const uid = members.text('tokenId') ?? (event as { readonly keyId?: string }).keyId
  if (uid === undefined) return undefined
  return present({
    uid,
    type_id: CLIENT_TOKEN,
    type: 'Client Token',
    expiration_time: members.milliseconds('expiresAt'),
  })
}
