import type { ProvisioningEvent, Severity } from 'express-provisioning-keys'
import type { Paint } from './paint'

const COLOURS: Record<Severity, Parameters<Paint>[0]> = {
  info: 'dim',
  notice: 'cyan',
  warning: 'yellow',
  high: 'red',
}

/** One event in one line: what happened, and the identifiers in it. */
export function eventLine(event: ProvisioningEvent, paint: Paint): string {
  const particulars = describe(event).filter((one) => one !== undefined)
  return paint(COLOURS[event.severity], [event.type.padEnd(17), ...particulars.map(printable)].join(' '))
}

function describe(event: ProvisioningEvent): readonly (string | undefined)[] {
  const key = 'keyId' in event && event.keyId !== undefined ? `key=${event.keyId}` : undefined
  const client = 'clientId' in event && event.clientId !== undefined ? `client=${event.clientId}` : undefined
  switch (event.type) {
    case 'request.refused': {
      // Where a key is named, where it was presented matters less than who it belongs to: a line is not long.
      const where = key === undefined ? `at=${event.endpoint}` : key
      return [String(event.status), event.reason, where, client]
    }
    case 'key.redeemed':
    case 'key.released':
      return [key, client, `action=${event.action}`]
    case 'key.replayed':
      return [key, client, event.familyRevoked ? 'family revoked' : undefined]
    case 'key.exposed':
    case 'token.exposed':
      return [key, client, event.revoked ? 'revoked' : undefined]
    case 'client.registered':
      return [key, `registered=${event.registeredClientId}`]
    case 'client.bound':
      return [key, `subject=${event.subject}`]
    case 'configuration.advised':
      return ['see the warning on stderr']
    default:
      return [key, client]
  }
}

/** Some of it comes from requests: no control character of theirs may reach the terminal. */
function printable(text: string): string {
  const plain = text.replace(/[^\x20-\x7e]/g, '?')
  return plain.length > 60 ? `${plain.slice(0, 57)}...` : plain
}
