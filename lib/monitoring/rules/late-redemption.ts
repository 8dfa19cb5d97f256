import { ClientHistory } from './client-history.js'
import { memberOf, rule } from './rule.js'

/** The last part of the lifetime of a key. */
const LAST_PART = 0.05
/** So many keys in a row. */
const IN_A_ROW = 10

export const lateRedemption = rule({
  id: 'late_redemption',
  version: 1,
  title: 'A client redeems its keys just before they expire',
  kind: 'statistical',
  severity: 'notice',
  evidence: 'bound',
  techniques: ['T1528'],
  signal: {
    events: ['key.redeemed'],
    condition: `the client redeemed ${IN_A_ROW} keys in a row, and redeemed each of them in the last ${LAST_PART * 100} percent of its lifetime`,
    by: 'client',
  },
  falsePositives: 'The devices start slowly, and the lifetime of their keys is too short.',
  runbook: [
    'If the devices need so much time to redeem their keys, raise lifetimeSeconds in the policy of the client.',
    'If the devices could redeem their keys earlier, find out which program keeps the keys for so long.',
  ],
  watch() {
    const clients = new ClientHistory(() => ({ inARow: 0 }))
    return (event) => {
      const issuedAt = Number(memberOf(event, 'issuedAt'))
      const expiresAt = Number(memberOf(event, 'expiresAt'))
      const client = clients.of(event)
      const left = expiresAt - event.at.getTime() / 1000
      client.inARow = left < LAST_PART * (expiresAt - issuedAt) ? client.inARow + 1 : 0
      return client.inARow >= IN_A_ROW
    }
  },
})
