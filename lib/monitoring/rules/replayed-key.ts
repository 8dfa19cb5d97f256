import type { Rule } from './rule.js'

export const replayedKey: Rule = {
  id: 'replayed_key',
  version: 1,
  title: 'A redeemed key was used again',
  kind: 'evidence',
  severity: 'high',
  evidence: 'bound',
  techniques: ['T1528', 'T1550.001'],
  signal: { events: ['key.replayed'], by: 'client' },
  threshold: { count: 1, seconds: 3600 },
  falsePositives:
    'A client has redeemed a bearer key, has not received the answer, and sends the same request again.',
  runbook: [
    'In your log, find the event key.replayed with the keyId of the key. If its member family.fate is flagged or unreached, the results of the first use (a registered client or a binding) still work: call revokeFamily. Otherwise, the server has already revoked these results.',
    'Compare the address and the user agent of the finding with those of the event key.redeemed of the same key.',
    'If they differ, somebody has copied the key: find out where it was stored or logged. After this, issue a new key for the device or client.',
    'If they are the same, the client itself has probably repeated its request. Let the client use DPoP: with DPoP, a client can repeat a request safely.',
  ],
  responses: ['report'],
}
