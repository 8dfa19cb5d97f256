import type { ProvisioningEvent, Severity } from 'express-provisioning-keys'
import type { Paint } from './paint'

const COLOURS: Record<Severity, Parameters<Paint>[0]> = {
  info: 'dim',
  notice: 'cyan',
  warning: 'yellow',
  high: 'red',
}

/** One event in one line: when, what, and the identifiers in it. */
export function eventLine(event: ProvisioningEvent, paint: Paint): string {
  const time = event.at.toTimeString().slice(0, 8)
  const particulars = describe(event)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${oneWord(String(value))}`)
  return paint(COLOURS[event.severity], `${time}  ${event.type.padEnd(17)} ${particulars.join('  ')}`)
}

type Particular = readonly [name: string, value: string | number | boolean | undefined]

function describe(event: ProvisioningEvent): readonly Particular[] {
  const identity: Particular[] = [
    ['client', 'clientId' in event ? event.clientId : undefined],
    ['key', 'keyId' in event ? event.keyId : undefined],
  ]
  switch (event.type) {
    case 'request.refused':
      return [['at', event.endpoint], ['status', event.status], ['reason', event.reason], ...identity]
    case 'key.redeemed':
    case 'key.released':
      return [...identity, ['action', event.action]]
    case 'key.replayed':
      return [...identity, ['family_revoked', event.familyRevoked]]
    case 'key.exposed':
      return [...identity, ['revoked', event.revoked]]
    case 'client.registered':
      return [...identity, ['registered', event.registeredClientId]]
    case 'client.bound':
      return [...identity, ['subject', event.subject]]
    case 'configuration.advised':
      return [['advice', event.advice]]
    default:
      return identity
  }
}

/** Some of it comes from requests: no control character of theirs may reach the terminal. */
function oneWord(text: string): string {
  const printable = text.replace(/[^\x20-\x7e]/g, '?')
  return printable.length > 60 ? `${printable.slice(0, 57)}...` : printable
}
