import type { EventOf, ProvisioningEvent, Severity } from 'express-provisioning-keys'
import type { Paint } from './paint'

const COLOURS: Record<Severity, Parameters<Paint>[0]> = {
  info: 'dim',
  notice: 'cyan',
  warning: 'yellow',
  high: 'red',
}

/** The local time as `HH:MM:SS`. */
export function clockTime(at: Date): string {
  return at.toTimeString().slice(0, 8)
}

/** An event as one line: its type and its identifiers. */
export function eventLine(event: ProvisioningEvent, paint: Paint): string {
  return paintEvent(event, [eventName(event), ...eventDetails(event)].join(' '), paint)
}

/** The longest of the usual types: `redemption.repeated`. */
const NAME_WIDTH = 19

/** The type of an event, as wide as a column. */
export function eventName({ type }: ProvisioningEvent): string {
  return type.padEnd(NAME_WIDTH)
}

/** The identifiers of an event, and what else distinguishes it from others of its type. */
export function eventDetails(event: ProvisioningEvent): readonly string[] {
  return detailsOf(event)
    .filter((detail) => detail !== undefined)
    .map(printable)
}

/** Colours text by the severity of its event. */
export function paintEvent({ severity }: ProvisioningEvent, text: string, paint: Paint): string {
  return paint(COLOURS[severity], text)
}

function detailsOf(event: ProvisioningEvent): readonly (string | undefined)[] {
  const key = 'keyId' in event && event.keyId !== undefined ? `key=${event.keyId}` : undefined
  const client = 'clientId' in event && event.clientId !== undefined ? `client=${event.clientId}` : undefined
  switch (event.type) {
    case 'request.refused': {
      // Both would make the line too long; the key tells more than the endpoint.
      const where = key === undefined ? `at=${event.endpoint}` : key
      return [String(event.status), event.reason, where, client]
    }
    case 'key.redeemed':
    case 'key.released':
    case 'redemption.repeated':
      return [key, client, `action=${event.action}`]
    case 'key.replayed':
    case 'family.revoked':
      return [key, client, ...fateOf(event)]
    case 'key.exposed':
    case 'token.exposed':
      return [key, client, event.revoked ? 'revoked' : undefined]
    case 'client.registered':
      return [key, `new=${event.registeredClientId}`]
    case 'client.bound':
      return [key, `subject=${event.subject}`]
    case 'client.unbound':
      return [key, client, `by=${event.by}`]
    case 'client.deleted':
      return [client, `by=${event.by}`]
    case 'client.flagged':
      return [key, client, event.bindingId && `binding=${event.bindingId}`]
    case 'finding.opened':
    case 'finding.updated':
      return [event.rule, event.subject]
    case 'configuration.advised':
      return ['see the warning on stderr']
    default:
      return [key, client]
  }
}

/** The client that came from the redemption, if any, and what happened to its family. */
function fateOf({ family, familyRevoked }: EventOf<'key.replayed' | 'family.revoked'>): readonly string[] {
  if (family === undefined) return familyRevoked ? ['family revoked'] : []
  return family.clientId === undefined
    ? [`family ${family.fate}`]
    : [`family=${family.clientId}`, family.fate]
}

/** Requests can contain control characters, which must not reach the terminal. */
function printable(text: string): string {
  const plain = text.replace(/[^\x20-\x7e]/g, '?')
  return plain.length > 60 ? `${plain.slice(0, 57)}...` : plain
}
