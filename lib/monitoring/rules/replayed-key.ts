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
    'Find the event key.replayed of the key in your log, by its keyId. The member family.fate says what the server did with the client or the bound key that came from this key. If family.fate is flagged, your policy has kept this client or bound key. If family.fate is unreached, the server could not delete this client or bound key. With both values, this client or bound key still works, so call revokeFamily. With any other value, or without family.fate, the server has already revoked everything that came from the key.',
    'Compare the address and the user agent of the finding with those of the event key.redeemed of the same key.',
    'If the addresses or user agents differ, somebody has copied the key: find out where it was stored or logged. After this, issue a new key for the device or client.',
    'If the address and the user agent are the same, the client itself has probably repeated its request. Give the client a DPoP key, so that it can repeat a request safely.',
  ],
  responses: ['report'],
}
