import { memberOf, rule } from './rule.js'

export const registrationBurst = rule({
  id: 'registration_burst',
  version: 1,
  title: 'A client registers many clients within minutes',
  severity: 'warning',
  evidence: 'bound',
  techniques: ['T1098.005', 'T1136'],
  signal: { events: ['client.registered'], by: 'client' },
  threshold: { count: 30, seconds: 600 },
  falsePositives:
    'A client installs a whole fleet of devices for the first time. If your clients often do this, raise the threshold of the rule in the option `monitoring`.',
  runbook: [
    'Ask the person who runs the client whether the client installs devices now.',
    'If the client does not install devices, lock the client with lockClient (button "Lock client" in the view of the client), and delete the new clients with deleteClient (button "Delete client" in their views).',
    'In the policy of the client, lower outstandingKeys to the number of unused keys that the client really needs.',
  ],
})

export const misusedRegistrationToken = rule({
  id: 'misused_registration_token',
  version: 1,
  title: 'The registration access token of one client was used for another client',
  severity: 'high',
  evidence: 'bound',
  techniques: ['T1528', 'T1098'],
  signal: { events: ['registration.misused'], by: 'client' },
  falsePositives: 'A program manages several clients, and uses the token of one client for another client.',
  runbook: [
    'Unless `tokenRevoked` in the event is false, the server has revoked the registration access token. The client that got this token can still get keys, but can no longer change its registration.',
    'If the address in the finding does not belong to one of your clients, somebody may have stolen the token: delete the client with deleteClient (button "Delete client" in the view of the client), and register it again.',
  ],
})

export const canary = rule({
  id: 'canary',
  version: 1,
  title: 'Somebody uses a canary',
  severity: 'high',
  evidence: 'unbound',
  techniques: ['T1552.001', 'T1078.004'],
  signal: {
    events: [
      'canary.used',
      'key.issued',
      'key.verified',
      'key.redeemed',
      'key.released',
      'redemption.repeated',
      'key.replayed',
      'key.exposed',
      'key.leaked',
      'token.verified',
      'token.exposed',
      'token.leaked',
      'registration.misused',
      'registration.exposed',
      'registration.leaked',
      'request.refused',
    ],
    condition: 'the option `monitoring.canaries` names the client',
    by: 'client',
  },
  falsePositives: 'You have used the canary yourself, for example in a test.',
  runbook: [
    'Nobody has a reason to use a canary, so somebody has read the place where you put its secret or key.',
    'Take the address from the finding, and look for other requests from this address in your logs.',
    'Change all secrets that were stored together with the secret or key of the canary.',
  ],
  where: (event, { canaries }) => canaries.has(String(memberOf(event, 'clientId'))),
})
