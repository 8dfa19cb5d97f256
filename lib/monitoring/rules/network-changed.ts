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
    'An orchestrator that asks for keys for its devices: the orchestrator and the devices are on different networks.',
  runbook: [
    'Check whether the client normally uses the addresses and the user agents in the events key.issued and key.moved of the key.',
    'If the client hands its keys to other machines, change the client: for each machine, it must ask for a key with the id of this machine as the subject.',
    'If you do not know the addresses or user agents, revoke the key and its results with revokeKey or revokeFamily.',
  ],
  responses: ['report'],
  where: (event) =>
    memberOf(event, 'agentChanged') === true && memberOf(event, 'subject') === memberOf(event, 'clientId'),
}
