import { SCOPE } from '../monitoring/meters.js'
import type { ProvisioningEvent, Severity } from '../ports/events.js'
import {
  type Activity,
  API_ACTIVITY,
  AUTHENTICATION,
  DETECTION_FINDING,
  ENTITY_MANAGEMENT,
} from './activities.js'
import { type EventRow, rowOf } from './event-map.js'
import { EventMembers, outcomeOf, present } from './event-members.js'
import { apiAttributes, authenticationAttributes, entityAttributes } from './ocsf-classes.js'
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

const OTHER = 99

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
  { class: { uid, name, category }, id, name: activity }: Activity,
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
