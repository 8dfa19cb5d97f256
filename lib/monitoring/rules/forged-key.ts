import type { Rule } from './rule.js'

export const forgedKey: Rule = {
  id: 'forged_key',
  version: 1,
  title: 'A token with a valid signature was never issued',
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
    'A second deployment that signs with the same key, such as staging with the key of production. A store that has lost its data does not know the genuine keys either.',
  runbook: [
    'The server has refused the token. Check whether the store has lost data: then it does not know genuine tokens either, and no signing key has leaked.',
    'Otherwise, somebody has a signing key of yours, or two deployments share one. Do not ignore this: treat the signing key as leaked.',
    'Follow "A stolen signing key" in the page about key rotation: it replaces the signing key in every process, and revokes everything that was issued until now.',
    'Look at the events client.bound and client.registered since the theft, and delete what you do not know.',
    'Find out where the signing key was stored, and who could read it.',
  ],
  responses: ['report'],
}
