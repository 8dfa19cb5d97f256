import type { EventDetails, KeyIdentity } from '../ports/event-details.js'
import type { EventOf, EventType, ProvisioningEvent } from '../ports/events.js'
import type { Confirmation } from '../ports/key-record.js'
import type { FamilyEnd } from '../ports/redemption.js'

/** The base of the event types (CAEP 1.0 3). */
const BASE = 'https://schemas.openid.net/secevent/caep/event-type/'

type InitiatingEntity = 'admin' | 'user' | 'policy' | 'system'

/** One CAEP event: the subject and the members that all events have (CAEP 1.0 2). */
interface CaepEvent {
  /** The `sub` of the subject. `undefined`: the issuer itself. */
  readonly subject: string | undefined
  readonly by: InitiatingEntity
  readonly reason: string
  /** Absent for `session-revoked`. */
  readonly credential?: readonly [type: string, change: 'create' | 'revoke' | 'update' | 'delete']
}

/** Describes an event; `undefined` if it changes no credential and ends no session, or if its subject is unknown. */
type Describe<T extends EventType> = (event: EventOf<T>) => CaepEvent | undefined

/** The CAEP events of our events. `docs/guides/notifications.md` has the same table. */
const DESCRIPTIONS: { readonly [T in EventType]?: Describe<T> } = {
  'key.revoked': (event) => keyEvent(event, 'was revoked', event.address === undefined ? 'admin' : 'user'),
  'key.exposed': (event) =>
    event.revoked ? keyEvent(event, 'came over plain HTTP, and was revoked', 'policy') : undefined,
  'key.leaked': (event) =>
    event.revoked ? keyEvent(event, 'was reported as leaked, and was revoked', 'policy') : undefined,
  'key.forged': (event) =>
    keyEvent(event, 'has a valid signature, but was never issued: a signing key has leaked', 'policy'),
  'token.forged': ({ subject, clientId, tokenId }) => ({
    subject: subject ?? clientId,
    credential: ['access-token', 'revoke'],
    by: 'policy',
    reason: `The access token ${tokenId} allows more than its key: a signing key has leaked.`,
  }),
  'client.bound': ({ subject, bindingId, confirmation }) => ({
    subject,
    credential: [credentialOf(confirmation), 'create'],
    by: 'user',
    reason: `The client bound a key (binding ${bindingId}).`,
  }),
  'client.unbound': ({ clientId, bindingId, confirmation, by }) => ({
    subject: clientId,
    credential: [credentialOf(confirmation), 'revoke'],
    by: by === 'replacement' ? 'user' : CAUSES[by],
    reason: `The binding ${bindingId} of the client was removed.`,
  }),
  'binding.undone': ({ clientId, bindingId, confirmation }) => ({
    subject: clientId,
    credential: [credentialOf(confirmation), 'revoke'],
    by: 'policy',
    reason: `The binding ${bindingId} was not used before its deadline, and was undone.`,
  }),
  'registration.undone': ({ clientId }) =>
    sessionsOf(clientId, 'The client was not used before its deadline, and was undone.', 'policy'),
  'registration.misused': (event) => registrationEvent(event, 'was used for another client'),
  'registration.exposed': (event) => registrationEvent(event, 'came over plain HTTP'),
  'registration.leaked': (event) => registrationEvent(event, 'was reported as leaked'),
  'signing_key.added': ({ kid }) => signingKeyEvent('create', `The signing key ${kid} was added.`),
  'signing_key.rotated': ({ kid, retiredKid }) =>
    signingKeyEvent('update', `The signing key ${kid} replaced ${retiredKid}.`),
  'signing_key.removed': ({ kid }) => signingKeyEvent('revoke', `The signing key ${kid} was removed.`),
  'key.replayed': (event) => familyEvent(event, `The redeemed key ${event.keyId} was used again.`, 'policy'),
  'family.revoked': (event) =>
    familyEvent(event, `An operator revoked what the key ${event.keyId} was redeemed for.`, 'admin'),
  'token.revoked': ({ subject, keyId }) =>
    sessionsOf(subject, `The client revoked the access token of the key ${keyId}.`, 'user'),
  'token.exposed': (event) => tokenEvent(event, 'came over plain HTTP'),
  'token.leaked': (event) => tokenEvent(event, 'was reported as leaked'),
  'keys.revoked': ({ clientId, issuedBefore }) => ({
    subject: clientId,
    by: 'admin',
    reason: `An operator revoked everything that was issued before ${new Date(issuedBefore * 1000).toISOString()}.`,
  }),
  'client.deleted': ({ clientId, by }) =>
    sessionsOf(clientId, 'The client was deleted, with its keys and tokens.', CAUSES[by]),
}

const CAUSES = { client: 'user', operator: 'admin', replay: 'policy' } as const

/** The types of events that have a CAEP event. */
export const MAPPED_TYPES = Object.keys(DESCRIPTIONS) as readonly EventType[]

/** The subject and the claim `events` of a Security Event Token. */
export interface CaepClaims {
  /** `undefined`: the issuer itself. */
  readonly subject: string | undefined
  /** Exactly one event, by its type (CAEP Interoperability Profile 2.8.1). */
  readonly events: Readonly<Record<string, object>>
}

/** The CAEP event of an event; `undefined` if it has none. */
export function caepClaims(event: ProvisioningEvent): CaepClaims | undefined {
  const describe = DESCRIPTIONS[event.type] as Describe<EventType> | undefined
  const described = describe?.(event)
  if (described === undefined) return undefined
  const { subject, credential, by, reason } = described
  const members = {
    event_timestamp: Math.floor(event.at.getTime() / 1000),
    initiating_entity: by,
    reason_admin: { en: reason },
  }
  const events =
    credential === undefined
      ? { [`${BASE}session-revoked`]: members }
      : {
          [`${BASE}credential-change`]: {
            credential_type: credential[0],
            change_type: credential[1],
            ...members,
          },
        }
  return { subject, events }
}

function keyEvent({ keyId, clientId, subject }: KeyIdentity, what: string, by: InitiatingEntity): CaepEvent {
  const reason = `The provisioning key ${keyId} ${what}.`
  return { subject: subject ?? clientId, credential: ['provisioning-key', 'revoke'], by, reason }
}

function tokenEvent(
  { tokenId, subject, revoked }: EventDetails['token.leaked'],
  what: string,
): CaepEvent | undefined {
  return revoked
    ? sessionsOf(subject, `The access token ${tokenId} ${what}, and was revoked.`, 'policy')
    : undefined
}

function registrationEvent(
  { clientId, tokenRevoked }: EventDetails['registration.leaked'],
  what: string,
): CaepEvent | undefined {
  if (!tokenRevoked) return undefined
  const reason = `The registration access token of the client ${what}, and was revoked.`
  return { subject: clientId, credential: ['registration-access-token', 'revoke'], by: 'policy', reason }
}

function signingKeyEvent(change: 'create' | 'update' | 'revoke', reason: string): CaepEvent {
  return { subject: undefined, credential: ['signing-key', change], by: 'admin', reason }
}

/** The results of a redemption belong to the client that it created or changed, or else to the subject of the key. */
function familyEvent(
  { subject, familyRevoked, family }: Pick<KeyIdentity, 'subject'> & FamilyEnd,
  reason: string,
  by: InitiatingEntity,
): CaepEvent | undefined {
  if (!familyRevoked && family?.fate !== 'revoked') return undefined
  return sessionsOf(family?.clientId ?? subject, reason, by)
}

/** Without a subject, a receiver could end the sessions of somebody else. */
function sessionsOf(
  subject: string | undefined,
  reason: string,
  by: InitiatingEntity,
): CaepEvent | undefined {
  return subject === undefined ? undefined : { subject, by, reason }
}

/** CAEP 1.0 3.3.1 has a name for certificates, but none for the key pairs of DPoP. */
function credentialOf({ jkt }: Confirmation): string {
  return jkt === undefined ? 'x509' : 'dpop-key'
}
