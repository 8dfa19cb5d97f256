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
    'Find the event key.replayed of the key in your log, by its keyId. The event says what the server did with the results of the key: an access token, and perhaps a client or a binding. If family.fate is flagged, your policy has kept the client or binding. If family.fate is unreached, the database did not answer. In both cases the client or binding still works, so call revokeFamily. Otherwise, the server has revoked everything. If the code of the event ends with family_revoked, the server has revoked access tokens.',
    'Compare the address and the user agent of the finding with those of the event key.redeemed of the same key.',
    'If they differ, somebody has copied the key: find out where it was stored or logged on its way. Then issue a new key for the device or client.',
    'If they are the same, give the client a DPoP key, so that it can repeat a request safely.',
  ],
  responses: ['report'],
}
