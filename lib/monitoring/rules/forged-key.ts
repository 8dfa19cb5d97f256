import type { Rule } from './rule.js'

export const forgedKey: Rule = {
  id: 'forged_key',
  version: 1,
  title: 'A token with a valid signature was never issued',
  kind: 'evidence',
  severity: 'high',
  evidence: 'unbound',
  techniques: ['T1552.004', 'T1606.001'],
  signal: { events: ['key.forged', 'token.forged'], by: 'deployment' },
  threshold: { count: 1, seconds: 3600 },
  falsePositives:
    'A second deployment that signs with the same key, such as staging with the key of production.',
  runbook: [
    'A signing key has leaked, or two deployments share it. Treat it as leaked until you know better.',
    'Call addSigningKey, rotateSigningKey and removeSigningKey to replace the signing key now.',
    'Call revokeAllIssuedBefore for the time at which the key may have leaked.',
    'Find out where the signing key was stored, and who could read it.',
  ],
  responses: ['report'],
}
