import { memberOf, type Rule } from './rule.js'

export const networkChanged: Rule = {
  id: 'network_changed',
  version: 1,
  title: 'A key was presented from another network and another program than it was issued to',
  kind: 'evidence',
  severity: 'warning',
  evidence: 'bound',
  techniques: ['T1528', 'T1550.001'],
  signal: {
    events: ['key.moved'],
    condition:
      'network and user agent both differ from those of the issuance, and the client has asked for the key for itself',
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
