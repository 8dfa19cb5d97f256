import type { Rule } from './rule.js'

export const wrongProofKey: Rule = {
  id: 'wrong_proof_key',
  version: 1,
  title: 'A bound key came without a proof of the private key that it is bound to',
  kind: 'evidence',
  severity: 'high',
  evidence: 'bound',
  techniques: ['T1528', 'T1550.001'],
  signal: { events: ['request.refused'], reasons: ['possession_unproven'], by: 'client' },
  threshold: { count: 2, seconds: 3600 },
  falsePositives:
    'The client makes a new DPoP key pair at each start, but keeps the provisioning key from before the restart.',
  runbook: [
    'The server has refused the request, but somebody may have a copy of the key. Compare the address and the user agent of the finding with those of the event key.issued of the same key.',
    'If they differ, revoke the key with revokeKey, and find out where somebody copied it.',
    'If they are the same, change the client: it must save its DPoP key pair together with the provisioning key.',
  ],
  responses: ['report'],
}
