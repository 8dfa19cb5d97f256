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
  falsePositives: 'Many devices behind one address whose client was deleted.',
  runbook: [
    'Look at the reasons: client_unknown means that the ids are guessed too.',
    'Block the address at your proxy, unless it is a gateway of your own devices.',
  ],
  responses: ['report'],
}
