import type { Rule } from './rule.js'

export const GUESSES = [
  'client_secret_wrong',
  'client_assertion_signature_wrong',
  'client_assertion_claims_wrong',
  'client_certificate_wrong',
  'client_certificate_untrusted',
  'client_method_refused',
] as const

export const clientGuessing: Rule = {
  id: 'client_guessing',
  version: 1,
  title: 'Somebody guesses the credentials of a client',
  kind: 'evidence',
  severity: 'warning',
  evidence: 'unbound',
  techniques: ['T1110.001'],
  signal: { events: ['request.refused'], reasons: GUESSES, by: 'client' },
  threshold: { count: 10, seconds: 3600 },
  falsePositives: 'The client still uses its old secret, because only the server has the new secret.',
  runbook: [
    'If the address in the events request.refused belongs to the client, give the client its new credentials.',
    'If not, block the address at your proxy. You need not change a generated secret: with 24 characters, nobody can guess it.',
    'The server does not lock the client, because anybody could then lock a client with wrong secrets.',
  ],
  responses: ['report'],
}
