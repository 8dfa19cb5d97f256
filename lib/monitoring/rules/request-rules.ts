import { memberOf, rule } from './rule.js'

export const scopeEscalation = rule({
  id: 'scope_escalation',
  version: 1,
  title: 'A client asks for more than its policy allows',
  severity: 'warning',
  evidence: 'bound',
  techniques: ['T1078.004', 'T1098'],
  signal: {
    events: ['request.refused'],
    reasons: [
      'scope_not_permitted',
      'scope_insufficient',
      'subject_not_permitted',
      'audience_not_permitted',
      'lifetime_not_permitted',
    ],
    by: 'client',
  },
  threshold: { count: 10, seconds: 3600 },
  falsePositives:
    'A new version of the client needs another scope, but you have not changed the policy of the client yet.',
  runbook: [
    'In the events request.refused, the member detail names the refused parameter, and what the policy allows. It does not name what the client asked for: look for this in the log of the client.',
    'If the client really needs more, change its policy. Otherwise, change the client so that it asks for less.',
    'If nobody has changed the client, somebody may have stolen its credentials: change these credentials.',
  ],
})

export const spoofedProxy = rule({
  id: 'spoofed_proxy',
  version: 1,
  title: 'An unknown sender claims to be a proxy',
  severity: 'notice',
  evidence: 'unbound',
  techniques: ['T1090', 'T1036'],
  signal: {
    events: ['request.refused'],
    reasons: ['cleartext', 'certificate_header_malformed'],
    condition: 'the request has headers that only a trusted proxy may set',
    by: 'address',
  },
  threshold: { count: 5, seconds: 3600 },
  falsePositives: 'The setting `trust proxy` of Express does not name one of your proxies yet.',
  runbook: [
    'If the address in the finding is a proxy of yours, name it in `trust proxy` of Express.',
    'If the address is not a proxy of yours, somebody forges a header of a proxy: `X-Forwarded-Proto` to pretend HTTPS, or `Client-Cert` to pretend a client certificate. The server has refused the request.',
    'Close the port of the app to everybody except your proxy.',
  ],
  where: (event) =>
    memberOf(event, 'isForwardedByStranger') === true ||
    memberOf(event, 'reason') === 'certificate_header_malformed',
})

export const algorithmTricks = rule({
  id: 'algorithm_tricks',
  version: 1,
  title: 'One address sends tokens with forged headers or signatures',
  severity: 'warning',
  evidence: 'unbound',
  techniques: ['T1606.001'],
  signal: {
    events: ['request.refused'],
    reasons: [
      'key_algorithm_refused',
      'key_header_refused',
      'key_type_wrong',
      'signing_key_unknown',
      'signing_key_retired',
      'signature_wrong',
      'dpop_algorithm_refused',
      'dpop_signature_wrong',
    ],
    by: 'address',
  },
  threshold: { count: 10, seconds: 3600 },
  falsePositives:
    'Clients still use keys of another deployment, or keys that were signed with a signing key that you have removed.',
  runbook: [
    'If all events have the reason signing_key_unknown, you may have removed a signing key too early. In this case, the clients must ask for new keys.',
    'If some events have another reason, somebody sends forged tokens. The server has refused all of them. If more forged tokens come, block the address at your proxy.',
  ],
})

const GUESSES = [
  'client_secret_wrong',
  'client_assertion_signature_wrong',
  'client_assertion_claims_wrong',
  'client_certificate_wrong',
  'client_certificate_untrusted',
  'client_method_refused',
] as const

export const clientGuessing = rule({
  id: 'client_guessing',
  version: 1,
  title: 'Somebody guesses the credentials of a client',
  severity: 'warning',
  evidence: 'unbound',
  techniques: ['T1110.001'],
  signal: { events: ['request.refused'], reasons: GUESSES, by: 'client' },
  threshold: { count: 10, seconds: 3600 },
  falsePositives: 'The client still uses its old secret, because only the server has the new secret.',
  runbook: [
    'If the address in the events request.refused belongs to the client, give the client its new credentials.',
    'If not, block the address at your proxy. You need not change a generated secret: with 24 characters, nobody can guess it.',
    'The server does not lock the client, because anybody could then lock a client with wrong secrets.',
  ],
})

export const sourceGuessing = rule({
  id: 'source_guessing',
  version: 1,
  title: 'One address guesses the credentials of clients',
  severity: 'warning',
  evidence: 'unbound',
  techniques: ['T1110.003'],
  signal: { events: ['request.refused'], reasons: ['client_unknown', ...GUESSES], by: 'address' },
  threshold: { count: 100, seconds: 3600 },
  falsePositives:
    'You have deleted a client, but many devices behind one address still use the credentials of this client.',
  runbook: [
    'Look at the reasons in the events request.refused. The reason client_unknown means that somebody also guesses the ids of clients.',
    'Block the address at your proxy, unless the address is a gateway of your own devices.',
  ],
})
