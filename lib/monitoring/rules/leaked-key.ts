import type { Rule } from './rule.js'

export const leakedKey: Rule = {
  id: 'leaked_key',
  version: 1,
  title: 'Somebody has found and reported a key',
  kind: 'evidence',
  severity: 'high',
  evidence: 'bound',
  techniques: ['T1552'],
  signal: { events: ['key.leaked', 'token.leaked', 'registration.leaked'], by: 'client' },
  threshold: { count: 1, seconds: 3600 },
  falsePositives: 'None. Somebody who reports a key has a copy of this key.',
  runbook: [
    'If `revoked` or `tokenRevoked` in the event is true, the server has revoked the key or token. Otherwise, do the steps of the section "When you get the event" in the page about leaked keys.',
    'Find out where the person or program that reported the key or token has found it.',
    'Remove the key or token from the place where it was found, and look there for other secrets.',
  ],
  responses: ['report'],
}
