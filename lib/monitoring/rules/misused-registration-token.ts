import type { Rule } from './rule.js'

export const misusedRegistrationToken: Rule = {
  id: 'misused_registration_token',
  version: 1,
  title: 'The registration access token of one client was used for another client',
  kind: 'evidence',
  severity: 'high',
  evidence: 'bound',
  techniques: ['T1528', 'T1098'],
  signal: { events: ['registration.misused'], by: 'client' },
  threshold: { count: 1, seconds: 3600 },
  falsePositives: 'A program manages several clients, and uses the token of one client for another client.',
  runbook: [
    'Unless `tokenRevoked` in the event is false, the server has revoked the registration access token. The client that got this token can still get keys, but can no longer change its registration.',
    'If the address in the finding does not belong to one of your clients, somebody may have stolen the token: delete the client with deleteClient, and register it again.',
  ],
  responses: ['report'],
}
