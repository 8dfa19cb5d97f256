/** The one thing that each broken client does wrong, and the only scenario that finds it, by groups. */
export const BROKEN_CLIENTS: Readonly<
  Record<'enrollment' | 'retries' | 'refusals' | 'impostors', Readonly<Record<string, string>>>
> = {
  enrollment: {
    'logs-key': 'client-secrets',
    'logs-secret-in-base64': 'client-secrets',
    'logs-private-key': 'client-secrets',
    'key-in-url': 'client-secrets',
    'key-in-arguments': 'client-secrets',
    'open-state': 'client-state',
    'enrolls-again': 'client-second-start',
  },
  retries: {
    'ignores-nonce': 'client-nonce',
    'own-clock': 'client-clock',
    'gives-up-after-lost-answer': 'client-lost-answer',
    'new-key-after-lost-answer': 'client-lost-answer',
    'gives-up-after-409': 'client-conflict',
    'new-proof-key': 'client-conflict',
    'gives-up-after-503': 'client-unavailable',
    'other-bytes': 'client-unavailable',
    'same-proof': 'client-unavailable',
    'ignores-retry-after': 'client-retry-after',
    impatient: 'client-slow',
    'sends-twice': 'client-slow',
    'no-timeout': 'client-silent',
    'retries-forever': 'client-outage',
    'succeeds-after-outage': 'client-outage',
  },
  refusals: {
    'retries-expired-key': 'client-expired-key',
    'logs-refused-key': 'client-spent-key',
    'silent-refusal': 'client-spent-key',
    'retries-400': 'client-wrong-audience',
    'accepts-bearer': 'client-downgrade',
  },
  impostors: {
    'accepts-other-issuer': 'client-other-issuer',
    'follows-redirects': 'client-redirect',
    'hangs-on-html': 'client-html',
    'takes-html-for-success': 'client-html',
    'trusts-any-certificate': 'client-certificate',
  },
}
