import type { Rule } from './rule.js'

export const wrongProofKey: Rule = {
  id: 'wrong_proof_key',
  version: 1,
  title: 'A bound key was sent without a proof of its private key',
  kind: 'evidence',
  severity: 'high',
  evidence: 'bound',
  techniques: ['T1528', 'T1550.001'],
  signal: { events: ['request.refused'], reasons: ['possession_unproven'], by: 'client' },
  threshold: { count: 2, seconds: 3600 },
  falsePositives:
    'The client makes a new DPoP key pair at each start, but keeps the provisioning key from before the restart.',
  runbook: [
    'The server has refused the request with the bound key, so this request did no harm. But somebody may have a copy of the key.',
    'Compare the address and the user agent of the finding with those of the event key.issued of the same key.',
    'If the finding and the event key.issued have different addresses or user agents, revoke the key with revokeKey, and find out where somebody copied it.',
    'If the finding and the event key.issued have the same address and user agent, change the client: it must save its DPoP key pair together with the provisioning key.',
  ],
  responses: ['report'],
}
