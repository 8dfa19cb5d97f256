import { GUESSES } from './client-guessing.js'
import type { Rule } from './rule.js'

export const sourceGuessing: Rule = {
  id: 'source_guessing',
  version: 1,
  title: 'One address guesses the credentials of clients',
  kind: 'evidence',
  severity: 'warning',
  evidence: 'unbound',
  techniques: ['T1110.003'],
  signal: { events: ['request.refused'], reasons: ['client_unknown', ...GUESSES], by: 'address' },
  threshold: { count: 100, seconds: 3600 },
  falsePositives:
    'You have deleted a client, but many devices behind one address still use the credentials of this client.',
  runbook: [
    'Look at the reasons in the events request.refused. The reason client_unknown means that somebody also guesses the ids of clients.',
    'Block the address at your proxy, unless the address is a gateway of your own devices.',
  ],
  responses: ['report'],
}
