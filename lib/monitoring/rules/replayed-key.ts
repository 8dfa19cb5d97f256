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
    'Find the event key.replayed of the key in your log, by its keyId, and read family.fate. If it is flagged or unreached, the client or the binding of the key still works: call revokeFamily. In all other cases, the server has revoked everything that the key gave.',
    'Compare the address and the user agent of the finding with those of the event key.redeemed of the same key.',
    'If they differ, somebody has copied the key: find out where it was stored or logged on its way. Then issue a new key for the device or client.',
    'If they are the same, give the client a DPoP key, so that it can repeat a request safely.',
  ],
  responses: ['report'],
}
