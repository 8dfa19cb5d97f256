import { memberOf, type Rule } from './rule.js'

/** A client may be late by the skew of its clock and the time of its retries. */
const LATE_SECONDS = 120

export const deadKey: Rule = {
  id: 'dead_key',
  version: 1,
  title: 'An expired or revoked key was used',
  kind: 'evidence',
  severity: 'warning',
  evidence: 'bound',
  techniques: ['T1528'],
  signal: {
    events: ['request.refused'],
    reasons: ['key_expired', 'key_revoked'],
    condition: `the key was revoked, or it expired more than ${LATE_SECONDS} seconds ago`,
    by: 'client',
  },
  threshold: { count: 3, seconds: 3600 },
  falsePositives:
    'A script or a service has an old key in its configuration, and sends this key at each start.',
  runbook: [
    'Look at the addresses in the finding. If an address belongs to one of your machines, a program on this machine probably has an old key in its configuration: remove this key.',
    'If an address does not belong to one of your machines, old keys have leaked, for example with a log or a disk image. Find the source of the leak.',
    'Nobody can use the old keys, but check whether the same log or disk image also contains valid secrets.',
  ],
  responses: ['report'],
  where(event) {
    const expiresAt = memberOf(event, 'expiresAt')
    const isExpired = memberOf(event, 'reason') === 'key_expired'
    return (
      !isExpired || (typeof expiresAt === 'number' && event.at.getTime() / 1000 - expiresAt > LATE_SECONDS)
    )
  },
}
