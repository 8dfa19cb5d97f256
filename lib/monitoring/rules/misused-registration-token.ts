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
    'The server has already revoked the token. The client of the token keeps working, but can no longer change its registration.',
    'If you do not know the address in the finding, somebody may have stolen the token: delete the client with deleteClient, and register it again.',
  ],
  responses: ['report'],
}
