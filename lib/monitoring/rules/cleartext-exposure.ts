import type { Rule } from './rule.js'

export const cleartextExposure: Rule = {
  id: 'cleartext_exposure',
  version: 1,
  title: 'A genuine key or token came over plain HTTP',
  kind: 'evidence',
  severity: 'high',
  evidence: 'bound',
  techniques: ['T1040', 'T1528'],
  signal: { events: ['key.exposed', 'token.exposed', 'registration.exposed'], by: 'client' },
  threshold: { count: 1, seconds: 3600 },
  falsePositives:
    'None: everybody who sees the traffic has the key. The usual cause is a wrong URL in a client.',
  runbook: [
    'The server has revoked the credential, unless it is bound to a key that the network does not see.',
    'Correct the URL of the client: it must begin with https.',
    'Close the plain HTTP port, or let your proxy redirect no requests with credentials.',
  ],
  responses: ['report'],
}
