import { memberOf, type Rule } from './rule.js'

export const manyNetworks: Rule = {
  id: 'many_networks',
  version: 1,
  title: 'One key was presented from several networks',
  kind: 'evidence',
  severity: 'high',
  evidence: 'bound',
  techniques: ['T1528', 'T1550.001'],
  signal: {
    events: ['key.moved'],
    condition: 'at least three networks have used the same key',
    by: 'client',
  },
  threshold: { count: 1, seconds: 3600 },
  falsePositives: 'A mobile device changes networks within minutes.',
  runbook: [
    'Several programs have the key. If the member actions of the finding contains revokeKey, the server has already revoked the key. Otherwise, call revokeKey. If the result is `redeemed`, call revokeFamily.',
    'Issue a new key for the device or client.',
    'Look for the place where the key was published: a log, a ticket, a chat, a repository.',
  ],
  responses: ['revokeKey'],
  where: (event) => Number(memberOf(event, 'networkCount')) >= 3,
}
