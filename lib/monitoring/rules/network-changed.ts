import { memberOf, type Rule } from './rule.js'

export const networkChanged: Rule = {
  id: 'network_changed',
  version: 1,
  title: 'A key came from a network and a program that did not ask for it',
  kind: 'evidence',
  severity: 'warning',
  evidence: 'bound',
  techniques: ['T1528', 'T1550.001'],
  signal: {
    events: ['key.moved'],
    condition:
      'the request with the key has another network and another user agent than the request that asked for the key. The rule counts only keys that a client asked for in its own name',
    by: 'client',
  },
  threshold: { count: 1, seconds: 3600 },
  falsePositives:
    'A program asks for keys for its devices, and the program and the devices are on different networks.',
  runbook: [
    'Check whether the client normally uses the addresses and the user agents in the events key.issued and key.moved of the key.',
    'If the client gives its keys to other machines, change the client: it must ask for one key for each machine, with the id of the machine in requested_subject.',
    'If the client never uses these addresses or user agents, somebody else may have the key. Revoke an unused key with revokeKey, and the results of a redeemed key with revokeFamily.',
  ],
  responses: ['report'],
  where: (event) =>
    memberOf(event, 'agentChanged') === true && memberOf(event, 'subject') === memberOf(event, 'clientId'),
}
