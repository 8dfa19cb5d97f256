import { sourceOf } from '../../base/network.js'
import { HeavyHitters } from '../heavy-hitters.js'
import { memberOf, rule } from './rule.js'

const WINDOW = 600_000
const LEAST_CLIENTS = 5

export const skewedClocks = rule({
  id: 'skewed_clocks',
  version: 2,
  title: 'The clocks of several clients are wrong',
  kind: 'statistical',
  severity: 'notice',
  evidence: 'unbound',
  techniques: [],
  signal: {
    events: ['request.refused'],
    reasons: ['key_not_yet_valid', 'client_assertion_expired', 'dpop_stale'],
    condition: `within 10 minutes, such events came from at least ${LEAST_CLIENTS} addresses. The IPv6 addresses of one /64 network count as one address`,
    by: 'deployment',
  },
  falsePositives: 'A slow network has delayed requests for minutes.',
  runbook: [
    'Check the clock of the server first: compare it with a time server.',
    'If the clock of the server is right, use the addresses in the finding to find out what the clients have in common: a disk image, a site, a time server.',
  ],
  watch() {
    const addresses = new HeavyHitters(1_000, WINDOW)
    return (event) => {
      addresses.add(sourceOf(String(memberOf(event, 'address'))), event.at.getTime())
      return addresses.size >= LEAST_CLIENTS
    }
  },
})
