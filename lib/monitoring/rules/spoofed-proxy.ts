import { memberOf, type Rule } from './rule.js'

export const spoofedProxy: Rule = {
  id: 'spoofed_proxy',
  version: 1,
  title: 'An unknown sender claims to be a proxy',
  kind: 'evidence',
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
  responses: ['report'],
  where: (event) =>
    memberOf(event, 'isForwardedByStranger') === true ||
    memberOf(event, 'reason') === 'certificate_header_malformed',
}
