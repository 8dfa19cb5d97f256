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
  falsePositives:
    'A client installs a whole fleet of devices for the first time. If your clients often do this, raise the threshold of the rule in the option `monitoring`.',
  runbook: [
    'Ask the person who runs the client whether the client installs devices now.',
    'If the client does not install devices, lock the client with lockClient, and delete the new clients with deleteClient.',
    'In the policy of the client, lower outstandingKeys to the number of unused keys that the client really needs.',
  ],
  responses: ['report'],
}
