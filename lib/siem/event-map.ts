import type { EventType, ProvisioningEvent } from '../ports/events.js'
import { ACTIVITIES, type Activity, type ActivityName } from './activities.js'

/** Whether the activity succeeded. `ifRevoked`: a success if the event says that something was revoked. */
type RowOutcome = 'success' | 'failure' | 'unknown' | 'ifRevoked' | 'none'

/** The form of one type of events in OCSF and in ECS. */
export interface EventRow {
  readonly activity: Activity
  /** `event.category` of ECS. */
  readonly category: string
  /** `event.type` of ECS. */
  readonly types: readonly string[]
  /** `event.kind` of ECS. */
  readonly kind: 'event' | 'alert' | 'pipeline_error'
  readonly outcome: RowOutcome
  readonly message: string
}

type Cells = readonly [activity: ActivityName, outcome: RowOutcome, message: string, kind?: EventRow['kind']]

function row([name, outcome, message, kind = 'event']: Cells): EventRow {
  const activity = ACTIVITIES[name]
  const [category = '', types = ''] = activity.ecs.split(': ')
  return { activity, category, types: types.split(', '), kind, outcome, message }
}

function rows<T extends string>(cells: Readonly<Record<T, Cells>>): Record<T, EventRow> {
  const all = (Object.entries(cells) as [T, Cells][]).map(([type, own]) => [type, row(own)])
  return Object.fromEntries(all) as Record<T, EventRow>
}

/** The form of each type of events. `docs/guides/siem.md` has tables that are made from it. */
export const EVENT_ROWS: Readonly<Record<EventType, EventRow>> = rows({
  'key.issued': ['apiCreate', 'success', 'A client got a provisioning key'],
  'key.verified': ['logon', 'success', 'A route accepted a provisioning key'],
  'redemption.started': ['preauth', 'unknown', 'A redemption has started'],
  'key.redeemed': ['logon', 'success', 'A provisioning key was redeemed'],
  'key.moved': ['authenticationOther', 'unknown', 'A key came from a new network'],
  'redemption.repeated': ['logon', 'success', 'A redemption was repeated'],
  'key.released': ['logon', 'failure', 'A redemption failed'],
  'redemption.stalled': ['logon', 'failure', 'A redemption is stalled'],
  'key.replayed': ['logon', 'failure', 'A redeemed key was used again'],
  'family.revoked': ['apiDelete', 'success', 'The results of a key were revoked'],
  'key.revoked': ['apiDelete', 'success', 'A provisioning key was revoked'],
  'key.forged': ['logon', 'failure', 'A provisioning key was forged'],
  'keys.revoked': ['apiDelete', 'success', 'Many provisioning keys were revoked'],
  'key.exposed': ['logon', 'failure', 'A key came over plain HTTP'],
  'key.leaked': ['apiDelete', 'ifRevoked', 'A key was reported as leaked'],
  'client.bound': ['enroll', 'success', 'A key or certificate was bound'],
  'client.unbound': ['unenroll', 'success', 'A key or certificate was removed'],
  'binding.confirmed': ['entityUpdate', 'success', 'A binding was confirmed'],
  'binding.undone': ['unenroll', 'success', 'An unused binding was undone'],
  'client.registered': ['entityCreate', 'success', 'A client was registered'],
  'client.updated': ['entityUpdate', 'success', 'A registration was changed'],
  'client.deleted': ['entityDelete', 'success', 'A client was deleted'],
  'client.flagged': ['entityFlag', 'success', 'A client was flagged after a replay'],
  'canary.used': ['logon', 'success', 'A canary was used'],
  'registration.confirmed': ['entityUpdate', 'success', 'A registration was confirmed'],
  'registration.undone': ['entityDelete', 'success', 'An unused registration was undone'],
  'registration.misused': ['logon', 'failure', 'A registration token was misused'],
  'registration.exposed': ['logon', 'failure', 'A registration token came over plain HTTP'],
  'registration.leaked': ['apiDelete', 'ifRevoked', 'A registration token was reported as leaked'],
  'token.issued': ['apiCreate', 'success', 'An access token was issued'],
  'token.verified': ['logon', 'success', 'A route accepted an access token'],
  'token.revoked': ['apiDelete', 'success', 'An access token was revoked'],
  'token.forged': ['logon', 'failure', 'An access token was forged'],
  'token.exposed': ['logon', 'failure', 'An access token came over plain HTTP'],
  'token.leaked': ['apiDelete', 'ifRevoked', 'An access token was reported as leaked'],
  'signing_key.added': ['settingCreate', 'success', 'A signing key was added'],
  'signing_key.rotated': ['settingUpdate', 'success', 'The signing key has changed'],
  'signing_key.removed': ['settingDelete', 'success', 'A signing key was removed'],
  'signing_keys.unavailable': ['outage', 'failure', 'The keys of the issuer are unavailable'],
  'request.refused': ['apiRefusal', 'failure', 'A request was refused'],
  'refusals.summarized': ['apiRefusal', 'failure', 'More requests were refused'],
  'finding.opened': ['findingCreate', 'none', 'A finding was opened', 'alert'],
  'finding.updated': ['findingUpdate', 'none', 'A finding has grown'],
  'finding.closed': ['findingClose', 'none', 'A finding was closed'],
  'client.locked': ['suspend', 'success', 'A client was locked'],
  'client.unlocked': ['resume', 'success', 'A client was unlocked'],
  'administration.acted': ['apiAdministration', 'unknown', 'An operator has acted'],
  'administration.refused': ['apiRefusal', 'failure', 'The administration refused a request'],
  'configuration.advised': ['error', 'none', 'A setting is missing or risky'],
  'events.dropped': ['error', 'none', 'An observer has missed events', 'pipeline_error'],
})

/** A refusal of credentials is a failed login, so that the rules of a SIEM against guessing see it. */
export const REFUSED_CREDENTIALS: EventRow = row([
  'logon',
  'failure',
  'A request with wrong credentials was refused',
])

/** The OAuth error codes of refused credentials. */
export const CREDENTIAL_ERRORS: ReadonlySet<string> = new Set([
  'invalid_client',
  'invalid_token',
  'invalid_dpop_proof',
])

/** The row of an event. */
export function rowOf(event: ProvisioningEvent): EventRow {
  return event.type === 'request.refused' && CREDENTIAL_ERRORS.has(event.error)
    ? REFUSED_CREDENTIALS
    : EVENT_ROWS[event.type]
}
