import type { Rule } from './rule.js'

export const registrationBurst: Rule = {
  id: 'registration_burst',
  version: 1,
  title: 'A client registers many clients within minutes',
  kind: 'evidence',
  severity: 'warning',
  evidence: 'bound',
  techniques: ['T1098.005', 'T1136'],
  signal: { events: ['client.registered'], by: 'client' },
  threshold: { count: 30, seconds: 600 },
  falsePositives: 'The first installation of a fleet. Raise the threshold for clients that install fleets.',
  runbook: [
    'Ask the person who runs the client whether the client installs devices now.',
    'If the client does not install devices, lock the client, and delete the new clients with deleteClient.',
    'Lower policy.outstandingKeys of the client to the number that it really needs.',
  ],
  responses: ['report'],
}
