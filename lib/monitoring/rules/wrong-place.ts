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
  falsePositives: 'A client that is configured for staging and talks to production, or the other way round.',
  runbook: [
    'Read the member detail in the events request.refused: it names the audience, environment or network that is wrong.',
    'If you know the address, correct the configuration of the client that uses it.',
    'If you do not know the address, somebody tries to find out where a stolen key works. Revoke the unused keys of the client.',
  ],
  responses: ['report'],
}
