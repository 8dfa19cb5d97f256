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
  falsePositives: 'Many devices that share an address and a client, if you have deleted this client.',
  runbook: [
    'Look at the reasons in the events request.refused: client_unknown means that somebody also guesses the ids of clients.',
    'Block the address at your proxy, unless it is a gateway of your own devices.',
  ],
  responses: ['report'],
}
