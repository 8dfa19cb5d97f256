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
    'Clients that still use keys of another deployment, or of a signing key that you have removed.',
  runbook: [
    'If the only reason is signing_key_unknown, check whether a signing key was removed too early.',
    'With other reasons, somebody tries forged tokens. The server has refused all of these tokens. If more come, block the address at your proxy.',
  ],
  responses: ['report'],
}
