import { SCOPE } from '../monitoring/meters.js'
import type { ProvisioningEvent, Severity } from '../ports/events.js'
import { type EventRow, rowOf } from './event-map.js'
import { EventMembers, outcomeOf, present } from './event-members.js'
import {
  API_ACTIVITY,
  AUTHENTICATION,
  DETECTION_FINDING,
  ENTITY_MANAGEMENT,
  type OcsfActivity,
} from './ocsf-activities.js'
import { findingAttributes } from './ocsf-finding.js'

/**
 * An event in the form of the Open Cybersecurity Schema Framework (OCSF) 1.8.0. All times are in milliseconds.
 *
 * @example
 * function isFailedLogon({ class_uid, status_id }: OcsfEvent): boolean {
 *   return class_uid === 3002 && status_id === 2
 * }
 */
export interface OcsfEvent {
  readonly class_uid: number
  readonly class_name: string
  readonly category_uid: number
  readonly category_name: string
  readonly activity_id: number
  readonly activity_name: string
  /** `class_uid` times 100, plus `activity_id`. */
  readonly type_uid: number
  readonly severity_id: number
  readonly severity: string
  readonly time: number
  readonly message: string
  readonly metadata: {
    readonly version: '1.8.0'
    readonly product: { readonly name: string; readonly vendor_name: string; readonly version: string }
    /** The `code` of the event. */
    readonly event_code: string
    /** The id of the provisioning key, the same in all events about it. */
    readonly correlation_uid?: string
    readonly profiles?: readonly string[]
  }
  /** The members of the event that the class has no attributes for, under their own names. */
  readonly unmapped?: Readonly<Record<string, unknown>>
  /** The attributes of the class. */
  readonly [attribute: string]: unknown
}

const SEVERITIES: Record<Severity, { readonly id: number; readonly name: string }> = {
  info: { id: 1, name: 'Informational' },
  notice: { id: 2, name: 'Low' },
  warning: { id: 3, name: 'Medium' },
  high: { id: 4, name: 'High' },
}

const STATUSES = {
  unknown: { status_id: 0, status: 'Unknown' },
  success: { status_id: 1, status: 'Success' },
  failure: { status_id: 2, status: 'Failure' },
} as const

/** A client is no person. */
const SERVICE_ACCOUNT = 4

const OTHER = 99

/** "Client Token": a token that an identity provider has issued to an application. */
const CLIENT_TOKEN = 6

/** Takes members of an event, and returns the attributes of a class. */
type ClassAttributes = (members: EventMembers, event: ProvisioningEvent) => Record<string, unknown>

const ATTRIBUTES: Readonly<Record<number, ClassAttributes>> = {
  [AUTHENTICATION.uid]: authenticationAttributes,
  [ENTITY_MANAGEMENT.uid]: entityAttributes,
  [API_ACTIVITY.uid]: apiAttributes,
  [DETECTION_FINDING.uid]: findingAttributes,
}

/**
 * Maps an event to OCSF 1.8.0. It uses the classes Authentication (3002), Entity Management (3004), API Activity (6003),
 * Application Error (6008) and, for findings, Detection Finding (2004). It loses nothing: other members of the event
 * come under `unmapped`. Events contain no secrets, so the result contains none either.
 *
 * @returns an object of JSON values, new for each call
 *
 * @example
 * keys.on('*', (event) => console.log(JSON.stringify(toOcsf(event))))
 */
export function toOcsf(event: ProvisioningEvent): OcsfEvent {
  const members = new EventMembers(event)
  const row = rowOf(event)
  const attributes = ATTRIBUTES[row.activity.class.uid]
  // First, because the subject of a finding is no identity, and because every class names the address in its own way.
  const special = attributes?.(members, event) ?? {
    status_detail: members.text('detail') ?? members.text('advice'),
  }
  const common = commonAttributes(event, row, members)
  return present({ ...common, ...special, unmapped: members.rest() }) as unknown as OcsfEvent
}

function commonAttributes(event: ProvisioningEvent, row: EventRow, members: EventMembers) {
  for (const name of ['type', 'code', 'at', 'severity']) members.take(name)
  const outcome = outcomeOf(event, row)
  const { id, name } = SEVERITIES[event.severity]
  return {
    ...classification(row.activity, event),
    severity_id: id,
    severity: name,
    time: event.at.getTime(),
    message: row.message,
    ...(outcome === undefined ? {} : STATUSES[outcome]),
    metadata: present({
      version: '1.8.0',
      product: { name: SCOPE.name, vendor_name: SCOPE.name, version: SCOPE.version },
      event_code: event.code,
      correlation_uid: members.text('keyId'),
      profiles: row.activity.class === API_ACTIVITY && event.traceId !== undefined ? ['trace'] : undefined,
    }),
  }
}

function classification(
  { class: { uid, name, category }, id, name: activity }: OcsfActivity,
  event: ProvisioningEvent,
) {
  return {
    class_uid: uid,
    class_name: name,
    category_uid: category.uid,
    category_name: category.name,
    activity_id: id,
    // OCSF demands a name of the source for "Other".
    activity_name: id === OTHER ? event.type : activity,
    type_uid: uid * 100 + id,
  }
}

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

function authenticationAttributes(members: EventMembers, event: ProvisioningEvent) {
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

function entityAttributes(members: EventMembers, event: ProvisioningEvent) {
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

function apiAttributes(members: EventMembers, event: ProvisioningEvent) {
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
    count: members.number('count'),
    trace: present({ uid: members.text('traceId') }),
  }
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
