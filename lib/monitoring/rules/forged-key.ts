import type { Rule } from './rule.js'

export const forgedKey: Rule = {
  id: 'forged_key',
  version: 1,
  title: 'A token has a valid signature, but the server never issued this token',
  kind: 'evidence',
  severity: 'high',
  evidence: 'unbound',
  techniques: ['T1552.004', 'T1606.001'],
  signal: {
    events: ['key.forged', 'token.forged', 'request.refused'],
    reasons: ['key_unknown', 'token_unknown'],
    by: 'deployment',
  },
  threshold: { count: 1, seconds: 3600 },
  falsePositives:
    'A second deployment uses the same signing key, for example staging with the signing key of production. Or the store has lost its data, so it does not know genuine keys.',
  runbook: [
    'The server has refused the token. Check whether the store has lost data. If so, the token may be genuine, and no signing key has leaked.',
    'If the store has lost no data, somebody else has one of your signing keys, or two deployments share a signing key. In both cases, do the steps of the section "A stolen signing key" in the page about key rotation.',
    'Find out where the signing key was stored, and who could read it.',
  ],
  responses: ['report'],
}
