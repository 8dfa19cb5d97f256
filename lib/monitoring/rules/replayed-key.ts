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
  falsePositives: 'A client without a DPoP key that repeats a redemption because it has lost the answer.',
  runbook: [
    'Compare the address and the user agent of the finding with those of the event key.redeemed of the same key.',
    'If they differ, somebody has copied the key: find out where it was stored or logged on its way.',
    'The access token, the binding or the client that the key gave is revoked already. Provision the device again.',
    'If they are the same, give the client a DPoP key, so that it can repeat a request safely.',
  ],
  responses: ['report'],
}
