import type { EventType, ProvisioningEvent } from 'express-provisioning-keys'
import { eventLine } from '../../demo-app/event-lines.js'

const ENVELOPE = { at: new Date(0), severity: 'notice', keyId: 'K', clientId: 'C' } as const

function lineOf(type: EventType, details: object): string {
  return eventLine({ ...ENVELOPE, type, ...details } as ProvisioningEvent, (_, text) => text)
}

describe('the line of an event', () => {
  it.each<[EventType, object, string]>([
    ['key.redeemed', { action: 'bind' }, 'key.redeemed        key=K client=C action=bind'],
    ['redemption.repeated', { action: 'token' }, 'redemption.repeated key=K client=C action=token'],
    ['key.replayed', { familyRevoked: true }, 'key.replayed        key=K client=C family revoked'],
    ['key.replayed', { familyRevoked: false }, 'key.replayed        key=K client=C'],
    [
      'key.replayed',
      { familyRevoked: true, family: { clientId: 'R', fate: 'flagged' } },
      'key.replayed        key=K client=C family=R flagged',
    ],
    [
      'key.replayed',
      { familyRevoked: false, family: { fate: 'unreached' } },
      'key.replayed        key=K client=C family unreached',
    ],
    [
      'family.revoked',
      { familyRevoked: true, family: { clientId: 'R', fate: 'revoked' } },
      'family.revoked      key=K client=C family=R revoked',
    ],
    ['client.flagged', {}, 'client.flagged      key=K client=C'],
    ['client.flagged', { bindingId: 'B' }, 'client.flagged      key=K client=C binding=B'],
    ['client.unbound', { by: 'replay' }, 'client.unbound      key=K client=C by=replay'],
    ['client.deleted', { keyId: undefined, by: 'replay' }, 'client.deleted      client=C by=replay'],
  ])('names the event and its identifiers: %s %j', (type, details, line) => {
    expect(lineOf(type, details)).toBe(line)
  })

  it('contains no control character, and shortens only the name of a client', () => {
    const clientId = `\x1b[2J\n${'x'.repeat(250)}`
    const line = lineOf('key.replayed', { familyRevoked: true, family: { clientId, fate: 'revoked' } })
    expect(line).toMatch(/^[\x20-\x7e]{0,120}\.\.\. revoked$/)
  })
})
