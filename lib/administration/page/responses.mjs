/**
 * What the responses of rules do. `report` does nothing more.
 *
 * @type {Readonly<Record<string, string>>}
 */
export const RESPONSES = {
  throttle: 'allows the client only one outstanding key at a time',
  stepUp: 'gives the client only bound keys',
  lockClient: 'locked the client',
  revokeKey: 'revoked the provisioning key',
  revokeFamily: 'revoked everything that the server had given for the key',
}

/** @type {Readonly<Record<import('./api.mjs').LockKind, { label: string, effect: string }>>} */
export const LOCKS = {
  lock: {
    label: 'Locked',
    effect: 'It gets no keys, and its keys and access tokens are refused.',
  },
  stepUp: {
    label: 'Bound keys only',
    effect:
      'It gets only keys that are bound to a private key or a certificate, so a copy of them is worthless.',
  },
  throttle: {
    label: 'Throttled',
    effect: 'It may have one outstanding key at a time.',
  },
}
