import { isIP } from 'node:net'
import { partiesOf } from '../monitoring/detector.js'
import { SCOPE } from '../monitoring/meters.js'
import type { Rule } from '../monitoring/rules/rule.js'
import type { ProvisioningEvent, Severity } from '../ports/events.js'
import { type EventRow, rowOf } from './event-map.js'
import { EventMembers, outcomeOf, present } from './event-members.js'
import { ruleOf, techniqueUrl } from './ocsf-finding.js'
import { sigmaIdOf } from './sigma-id.js'

/**
 * An event in the form of the Elastic Common Schema (ECS) 9.
 *
 * @example
 * function isRefused({ event }: EcsEvent): boolean {
 *   return event.outcome === 'failure'
 * }
 */
export interface EcsEvent {
  /** ISO 8601. */
  readonly '@timestamp': string
  readonly ecs: { readonly version: '9.0.0' }
  readonly message: string
  readonly log: { readonly level: string }
  readonly event: {
    readonly kind: string
    readonly category: readonly string[]
    readonly type: readonly string[]
    readonly outcome?: string
    /** The type of the event. */
    readonly action: string
    /** The `code` of the event. */
    readonly code: string
    /** From 1 (info) to 4 (high). */
    readonly severity: number
    readonly provider: string
    readonly [field: string]: unknown
  }
  /** The members of the event that ECS has no fields for, in snake case. */
  readonly provisioning_key?: Readonly<Record<string, unknown>>
  /** The other field sets. */
  readonly [fields: string]: unknown
}

/** In syslog, `alert` means that somebody must act immediately. */
const LEVELS: Record<Severity, { readonly severity: number; readonly level: string }> = {
  info: { severity: 1, level: 'info' },
  notice: { severity: 2, level: 'notice' },
  warning: { severity: 3, level: 'warning' },
  high: { severity: 4, level: 'alert' },
}

/**
 * Maps an event to ECS 9. `user.id` and `user.name` are the identity that the event is about, because the rules of a
 * SIEM group by them: the subject, or else the client. ECS has no fields for OAuth clients and keys. They come under
 * `provisioning_key`, with all other members, and in snake case: `provisioning_key.client_id`. Metrics and traces have
 * the same namespace. Events contain no secrets, so the result contains none either.
 *
 * @returns an object of JSON values, new for each call
 *
 * @example
 * keys.on('*', (event) => console.log(JSON.stringify(toEcs(event))))
 */
export function toEcs(event: ProvisioningEvent): EcsEvent {
  const members = new EventMembers(event)
  const row = rowOf(event)
  const rule = 'rule' in event ? ruleOf(event.rule) : undefined
  const parties = partiesOfEvent(members, event)
  for (const name of ['type', 'code', 'at', 'severity']) members.take(name)
  return present({
    '@timestamp': event.at.toISOString(),
    ecs: { version: '9.0.0' },
    message: row.message,
    log: { level: LEVELS[event.severity].level },
    event: eventFields(event, row, members),
    ...partyFields(parties),
    user_agent: present({ original: members.text('userAgent') }),
    trace: present({ id: members.text('traceId') }),
    http: status(members),
    error: present({ code: members.text('error'), message: members.text('detail') }),
    rule: ruleFields(members, rule),
    threat: rule && threatFields(rule),
    provisioning_key: present(snakeCased(members.rest() ?? {})),
  }) as unknown as EcsEvent
}

function eventFields(event: ProvisioningEvent, row: EventRow, members: EventMembers) {
  const { severity } = LEVELS[event.severity]
  return present({
    kind: row.kind,
    category: [row.category],
    type: row.types,
    outcome: outcomeOf(event, row),
    action: event.type,
    code: event.code,
    severity,
    provider: SCOPE.name,
    reason: members.text('reason'),
    id: members.text('findingId'),
    start: dateOf(members.milliseconds('firstAt')),
    end: dateOf(members.milliseconds('lastAt')),
  })
}

function dateOf(milliseconds: number | undefined) {
  return milliseconds === undefined ? undefined : new Date(milliseconds).toISOString()
}

interface Parties {
  readonly user: string | undefined
  readonly address: string | undefined
}

/** Who and where. The subject of a finding names one of them. */
function partiesOfEvent(members: EventMembers, event: ProvisioningEvent): Parties {
  const address = members.text('address')
  if ('rule' in event) {
    const { clientId, address: source } = partiesOf(event.subject)
    return { user: clientId, address: source ?? address }
  }
  const { subject, clientId } = event as { readonly subject?: string; readonly clientId?: string }
  members.text('subject')
  return { user: subject ?? clientId, address }
}

/** A finding can be about an IPv6 network. A SIEM refuses a whole event if `ip` is no address. */
function partyFields({ user, address }: Parties) {
  const ip = address !== undefined && isIP(address) !== 0 ? address : undefined
  return {
    user: present({ id: user, name: user }),
    source: present(ip === undefined ? { address } : { ip }),
    related: present({
      user: user === undefined ? undefined : [user],
      ip: ip === undefined ? undefined : [ip],
    }),
  }
}

function status(members: EventMembers) {
  const code = members.number('status')
  return code === undefined ? undefined : { response: { status_code: code } }
}

function ruleFields(members: EventMembers, rule: Rule | undefined) {
  const id = members.text('rule')
  if (id === undefined) return undefined
  return present({
    id,
    name: rule?.title,
    description: rule && `Harmless events that look like this: ${rule.falsePositives}`,
    category: rule?.kind,
    ruleset: SCOPE.name,
    uuid: rule && sigmaIdOf(rule),
    version: rule && String(rule.version),
  })
}

function threatFields({ techniques }: Rule) {
  if (techniques.length === 0) return undefined
  const parents = [...new Set(techniques.map((technique) => String(technique.split('.')[0])))]
  const subs = techniques.filter((technique) => technique.includes('.'))
  return {
    framework: 'MITRE ATT&CK',
    technique: present({
      id: parents,
      reference: parents.map(techniqueUrl),
      subtechnique: subs.length === 0 ? undefined : { id: subs, reference: subs.map(techniqueUrl) },
    }),
  }
}

/** `keyId` becomes `key_id`. Other names, such as `x5t#S256`, stay. */
function snakeCased(members: Record<string, unknown>): Record<string, unknown> {
  const renamed = Object.entries(members).map(([name, value]) => {
    const snake = /^[a-z]+([A-Z][a-z]+)*$/.test(name)
      ? name.replaceAll(/[A-Z]/g, (one) => `_${one.toLowerCase()}`)
      : name
    const isPlain =
      typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
    return [snake, isPlain ? snakeCased(value as Record<string, unknown>) : value]
  })
  return Object.fromEntries(renamed)
}
