import { RecentMap } from '../../base/recent-map.js'
import { ClientHistory, FadingMean } from './client-history.js'
import { memberOf, rule } from './rule.js'

const KEYS_OF_A_GENERATION = 5_000
/** No program gets an answer and sends the next request that fast, unless it runs next to the server. */
const FASTEST_MILLISECONDS = 20
const USUAL_MILLISECONDS = 1_000
const LEAST_REDEMPTIONS = 20

export const fastRedemption = rule({
  id: 'fast_redemption',
  version: 1,
  title: 'A key was redeemed much faster than usual',
  kind: 'statistical',
  severity: 'notice',
  evidence: 'bound',
  techniques: ['T1528'],
  signal: {
    events: ['key.issued', 'key.redeemed'],
    condition: `the client redeemed the key less than ${FASTEST_MILLISECONDS} milliseconds after the server issued it. Before, this client usually needed more than a second. The rule counts only keys that the same process has issued and redeemed`,
    by: 'client',
  },
  threshold: { count: 3, seconds: 3600 },
  falsePositives: 'Your own health check redeems keys of the same client.',
  runbook: [
    'Compare the networks in the events key.issued and key.redeemed of a key that the finding names.',
    'If the networks differ, a program near the server, or between the client and the server, may have redeemed the keys before the client could: call revokeFamily (button "Revoke everything it gave" in the view of the key).',
  ],
  watch() {
    const issuedAt = new RecentMap<number>(KEYS_OF_A_GENERATION)
    const clients = new ClientHistory(() => ({ age: new FadingMean(LEAST_REDEMPTIONS), count: 0 }))
    return (event) => {
      const keyId = String(memberOf(event, 'keyId'))
      if (event.type === 'key.issued') issuedAt.add(keyId, event.at.getTime())
      const since = event.type === 'key.redeemed' ? issuedAt.get(keyId) : undefined
      if (since === undefined) return false
      const age = event.at.getTime() - since
      const client = clients.of(event)
      const isUnusual = client.count >= LEAST_REDEMPTIONS && client.age.value > USUAL_MILLISECONDS
      client.age.add(age)
      client.count += 1
      return isUnusual && age < FASTEST_MILLISECONDS
    }
  },
})
