import type { EventType, ProvisioningEvent } from '../ports/events.js'
import { ACTIVITIES, type ActivityName, type OcsfActivity } from './ocsf-activities.js'

/** Whether the activity succeeded. `ifRevoked`: a success if the event says that something was revoked. */
type RowOutcome = 'success' | 'failure' | 'unknown' | 'ifRevoked' | 'none'

/** The form of one type of events in OCSF and in ECS. */
export interface EventRow {
  readonly activity: OcsfActivity
  /** `event.category` of ECS. */
  readonly category: string
  /** `event.type` of ECS. */
  readonly types: readonly string[]
  /** `event.kind` of ECS. */
  readonly kind: 'event' | 'alert' | 'pipeline_error'
  readonly outcome: RowOutcome
  readonly message: string
}

type Cells = readonly [ActivityName, string, RowOutcome, string]

/** A row. The second cell is the category of ECS and its types, as in `iam: user, change`. */
function row([activity, ecs, outcome, message]: Cells, kind: EventRow['kind'] = 'event'): EventRow {
  const [category = '', types = ''] = ecs.split(': ')
  return { activity: ACTIVITIES[activity], category, types: types.split(', '), kind, outcome, message }
}

/** The form of each type of events. `docs/guides/siem.md` has tables that are made from it. */
export const EVENT_ROWS: Readonly<Record<EventType, EventRow>> = {
  'key.issued': row(['apiCreate', 'iam: creation', 'success', 'A client got a provisioning key']),
  'key.verified': row(['logon', 'authentication: start', 'success', 'A route accepted a provisioning key']),
  'redemption.started': row(['preauth', 'authentication: info', 'unknown', 'A redemption has started']),
  'key.redeemed': row(['logon', 'authentication: start', 'success', 'A provisioning key was redeemed']),
  'key.moved': row([
    'authenticationOther',
    'authentication: info',
    'unknown',
    'A key came from a new network',
  ]),
  'redemption.repeated': row(['logon', 'authentication: start', 'success', 'A redemption was repeated']),
  'key.released': row(['logon', 'authentication: start', 'failure', 'A redemption failed']),
  'redemption.stalled': row(['logon', 'authentication: start', 'failure', 'A redemption is stalled']),
  'key.replayed': row(['logon', 'authentication: start', 'failure', 'A redeemed key was used again']),
  'family.revoked': row(['apiDelete', 'iam: deletion', 'success', 'The results of a key were revoked']),
  'key.revoked': row(['apiDelete', 'iam: deletion', 'success', 'A provisioning key was revoked']),
  'key.forged': row(['logon', 'authentication: start', 'failure', 'A provisioning key was forged']),
  'keys.revoked': row(['apiDelete', 'iam: deletion', 'success', 'Many provisioning keys were revoked']),
  'key.exposed': row(['logon', 'authentication: start', 'failure', 'A key came over plain HTTP']),
  'key.leaked': row(['apiDelete', 'iam: deletion', 'ifRevoked', 'A key was reported as leaked']),
  'client.bound': row(['enroll', 'iam: user, change', 'success', 'A key or certificate was bound']),
  'client.unbound': row(['unenroll', 'iam: user, change', 'success', 'A key or certificate was removed']),
  'binding.confirmed': row(['entityUpdate', 'iam: user, change', 'success', 'A binding was confirmed']),
  'binding.undone': row(['unenroll', 'iam: user, change', 'success', 'An unused binding was undone']),
  'client.registered': row(['entityCreate', 'iam: user, creation', 'success', 'A client was registered']),
  'client.updated': row(['entityUpdate', 'iam: user, change', 'success', 'A registration was changed']),
  'client.deleted': row(['entityDelete', 'iam: user, deletion', 'success', 'A client was deleted']),
  'client.flagged': row([
    'entityUpdate',
    'iam: user, info',
    'success',
    'A client was flagged after a replay',
  ]),
  'canary.used': row(['logon', 'authentication: start', 'success', 'A canary was used']),
  'registration.confirmed': row([
    'entityUpdate',
    'iam: user, change',
    'success',
    'A registration was confirmed',
  ]),
  'registration.undone': row([
    'entityDelete',
    'iam: user, deletion',
    'success',
    'An unused registration was undone',
  ]),
  'registration.misused': row([
    'logon',
    'authentication: start',
    'failure',
    'A registration token was misused',
  ]),
  'registration.exposed': row([
    'logon',
    'authentication: start',
    'failure',
    'A registration token came over plain HTTP',
  ]),
  'registration.leaked': row([
    'apiDelete',
    'iam: deletion',
    'ifRevoked',
    'A registration token was reported as leaked',
  ]),
  'token.issued': row(['apiCreate', 'iam: creation', 'success', 'An access token was issued']),
  'token.verified': row(['logon', 'authentication: start', 'success', 'A route accepted an access token']),
  'token.revoked': row(['apiDelete', 'iam: deletion', 'success', 'An access token was revoked']),
  'token.forged': row(['logon', 'authentication: start', 'failure', 'An access token was forged']),
  'token.exposed': row(['logon', 'authentication: start', 'failure', 'An access token came over plain HTTP']),
  'token.leaked': row(['apiDelete', 'iam: deletion', 'ifRevoked', 'An access token was reported as leaked']),
  'signing_key.added': row(['entityCreate', 'configuration: creation', 'success', 'A signing key was added']),
  'signing_key.rotated': row([
    'entityUpdate',
    'configuration: change',
    'success',
    'The signing key has changed',
  ]),
  'signing_key.removed': row([
    'entityDelete',
    'configuration: deletion',
    'success',
    'A signing key was removed',
  ]),
  'signing_keys.unavailable': row([
    'error',
    'web: error',
    'failure',
    'The keys of the issuer are unavailable',
  ]),
  'request.refused': row(['apiOther', 'api: denied', 'failure', 'A request was refused']),
  'refusals.summarized': row(['apiOther', 'api: denied', 'failure', 'More requests were refused']),
  'finding.opened': row(
    ['findingCreate', 'intrusion_detection: info', 'none', 'A finding was opened'],
    'alert',
  ),
  'finding.updated': row(['findingUpdate', 'intrusion_detection: info', 'none', 'A finding has grown']),
  'finding.closed': row(['findingClose', 'intrusion_detection: info', 'none', 'A finding was closed']),
  'client.locked': row(['suspend', 'iam: user, change', 'success', 'A client was locked']),
  'client.unlocked': row(['resume', 'iam: user, change', 'success', 'A client was unlocked']),
  'administration.acted': row(['apiOther', 'iam: admin', 'unknown', 'An operator has acted']),
  'administration.refused': row([
    'apiOther',
    'api: denied',
    'failure',
    'The administration refused a request',
  ]),
  'configuration.advised': row(['error', 'configuration: info', 'none', 'A setting is missing or risky']),
  'events.dropped': row(
    ['error', 'configuration: info', 'none', 'An observer has missed events'],
    'pipeline_error',
  ),
}

/** A refusal of credentials is a failed login, so that the rules of a SIEM against guessing see it. */
export const REFUSED_CREDENTIALS: EventRow = row([
  'logon',
  'authentication: start',
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
