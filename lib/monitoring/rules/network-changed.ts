import { memberOf, type Rule } from './rule.js'

export const networkChanged: Rule = {
  id: 'network_changed',
  version: 1,
  title: 'One network and program got a key, and another network and program presented it',
  kind: 'evidence',
  severity: 'warning',
  evidence: 'bound',
  techniques: ['T1528', 'T1550.001'],
  signal: {
    events: ['key.moved'],
    condition:
      'the network and the user agent have both changed since the key was issued, and the client asked for the key in its own name',
    by: 'client',
  },
  threshold: { count: 1, seconds: 3600 },
  falsePositives:
    'An orchestrator that asks for the keys of its devices: key and device are on different networks.',
  runbook: [
    'Compare both networks and programs with what you know about the client.',
    'If the client hands keys to other machines, let it ask for keys for their subjects instead.',
    'If they are unknown, revoke the key and its results with revokeKey or revokeFamily.',
  ],
  responses: ['report'],
  where: (event) =>
    memberOf(event, 'agentChanged') === true && memberOf(event, 'subject') === memberOf(event, 'clientId'),
}
