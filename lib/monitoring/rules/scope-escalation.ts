import type { Rule } from './rule.js'

export const scopeEscalation: Rule = {
  id: 'scope_escalation',
  version: 1,
  title: 'A client asks for more than its policy allows',
  kind: 'evidence',
  severity: 'warning',
  evidence: 'bound',
  techniques: ['T1078.004', 'T1098'],
  signal: {
    events: ['request.refused'],
    reasons: [
      'scope_not_permitted',
      'scope_insufficient',
      'subject_not_permitted',
      'audience_not_permitted',
      'lifetime_not_permitted',
    ],
    by: 'client',
  },
  threshold: { count: 10, seconds: 3600 },
  falsePositives:
    'A new version of the client needs another scope, but you have not changed the policy of the client yet.',
  runbook: [
    'In the events request.refused, the member detail names the refused parameter, and what the policy allows. It does not name what the client asked for: look for this in the log of the client.',
    'If the client really needs more, change its policy. Otherwise, change the client so that it asks for less.',
    'If nobody has changed the client, somebody may have stolen its credentials: change these credentials.',
  ],
  responses: ['report'],
}
