import type { Rule } from './rule.js'

export const misusedRegistrationToken: Rule = {
  id: 'misused_registration_token',
  version: 1,
  title: 'A registration access token was used for another client',
  kind: 'evidence',
  severity: 'high',
  evidence: 'bound',
  techniques: ['T1528', 'T1098'],
  signal: { events: ['registration.misused'], by: 'client' },
  threshold: { count: 1, seconds: 3600 },
  falsePositives: 'A program that manages several clients and mixes up their tokens.',
  runbook: [
    'The token is revoked already. Its client keeps working, but can no longer change its registration.',
    'If you do not know the address in the finding, delete the client with deleteClient, and provision it again.',
  ],
  responses: ['report'],
}
