import type { Rule } from './rule.js'

export const algorithmTricks: Rule = {
  id: 'algorithm_tricks',
  version: 1,
  title: 'One address sends tokens with forged headers or signatures',
  kind: 'evidence',
  severity: 'warning',
  evidence: 'unbound',
  techniques: ['T1606.001'],
  signal: {
    events: ['request.refused'],
    reasons: [
      'key_algorithm_refused',
      'key_header_refused',
      'key_type_wrong',
      'signing_key_unknown',
      'signing_key_retired',
      'signature_wrong',
      'dpop_algorithm_refused',
      'dpop_signature_wrong',
    ],
    by: 'address',
  },
  threshold: { count: 10, seconds: 3600 },
  falsePositives:
    'Clients still use keys of another deployment, or keys that were signed with a signing key that you have removed.',
  runbook: [
    'If all events have the reason signing_key_unknown, you may have removed a signing key too early. In this case, the clients must ask for new keys.',
    'If some events have another reason, somebody sends forged tokens. The server has refused all of them. If more forged tokens come, block the address at your proxy.',
  ],
  responses: ['report'],
}
