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
    'A client without a DPoP key has lost the answer to its redemption, and repeats the redemption.',
  runbook: [
    'In your log, find the event key.replayed with the keyId of the key. If the member family.fate of this event is flagged or unreached, the client or public key that was registered or bound with the key still works: call revokeFamily. With any other value, or without family.fate, the server has already revoked everything that the key was redeemed for.',
    'Compare the address and the user agent of the finding with those of the event key.redeemed of the same key.',
    'If the finding and the event key.redeemed have different addresses or user agents, somebody has copied the key: find out where it was stored or logged. After this, issue a new key for the device or client.',
    'If the finding and the event key.redeemed have the same address and user agent, the client itself has probably repeated its request. Give the client a DPoP key. A client with a DPoP key can repeat a request safely.',
  ],
  responses: ['report'],
}
