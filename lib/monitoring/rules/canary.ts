import { memberOf, type Rule } from './rule.js'

export const canary: Rule = {
  id: 'canary',
  version: 1,
  title: 'Somebody uses a canary',
  kind: 'evidence',
  severity: 'high',
  evidence: 'unbound',
  techniques: ['T1552.001', 'T1078.004'],
  signal: {
    events: ['key.issued', 'key.verified', 'key.redeemed', 'key.replayed', 'key.exposed', 'request.refused'],
    condition: 'the option `monitoring.canaries` names the client',
    by: 'client',
  },
  threshold: { count: 1, seconds: 3600 },
  falsePositives: 'Your own test of the canary.',
  runbook: [
    'Nobody has a reason to use a canary: somebody has read the place where you put it.',
    'Take the address from the finding, and look for other accesses from it.',
    'Rotate all secrets that were stored in the same place.',
  ],
  responses: ['report'],
  where: (event, { canaries }) => canaries.has(String(memberOf(event, 'clientId'))),
}
