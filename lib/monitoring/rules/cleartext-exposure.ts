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
    'None. Everybody who can read the traffic has the key. The usual cause is a client with a wrong URL.',
  runbook: [
    'If the key or token is not bound, the server has revoked it. A bound key or token is useless to a thief without the private key.',
    'Correct the URL of the client: it must begin with https.',
    'Close the plain HTTP port, or let your proxy refuse plain HTTP requests. The proxy must not redirect them: with a redirect, nobody notices the wrong URL.',
  ],
  responses: ['report'],
}
