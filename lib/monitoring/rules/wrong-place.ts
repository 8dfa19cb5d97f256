import type { Rule } from './rule.js'

export const wrongPlace: Rule = {
  id: 'wrong_place',
  version: 1,
  title: 'A genuine key came to the wrong audience or environment, or from the wrong network',
  kind: 'evidence',
  severity: 'warning',
  evidence: 'bound',
  techniques: ['T1528', 'T1550.001'],
  signal: {
    events: ['request.refused'],
    reasons: ['audience_wrong', 'environment_wrong', 'network_wrong'],
    by: 'client',
  },
  threshold: { count: 3, seconds: 3600 },
  falsePositives:
    'A client has the configuration of staging, and sends its requests to production, or the reverse.',
  runbook: [
    'In the events request.refused, the member detail names the wrong audience, network or environment (the option `environment`).',
    'If the address in the finding belongs to one of your clients, correct the configuration of this client.',
    'If not, somebody tries to find out where a stolen key works: call revokeAllIssuedBefore, which revokes all keys and access tokens of the client.',
  ],
  responses: ['report'],
}
