/**
 * What each rule has found, in words for somebody who sees it for the first time.
 *
 * @typedef {object} RuleWords
 * @property {string} title
 * @property {string} meaning
 * @property {readonly string[]} handled what the server does in every case, before the responses of the rule
 */

/** @type {Readonly<Record<string, RuleWords>>} */
const RULES = {
  replayed_key: {
    title: 'A used key was sent again',
    meaning:
      'A key works only once. Somebody has sent a key that was redeemed before, so there may be a copy of it.',
    handled: ['refused the request', 'ended what the key had given, as far as your policy allows'],
  },
  dead_key: {
    title: 'Expired or revoked keys are still in use',
    meaning: 'This is often an old key in a script. It can also be somebody who has found old keys.',
    handled: ['refused the keys'],
  },
  cleartext_exposure: {
    title: 'A key or token came over plain HTTP',
    meaning: 'Everybody on the way could read it. The usual cause is a wrong URL in a client.',
    handled: ['refused the request', 'revoked the key or token, unless it is bound to a private key'],
  },
  forged_key: {
    title: 'Somebody may have your signing key',
    meaning: 'A token has a valid signature of yours, but this server has never issued it.',
    handled: ['refused the token'],
  },
  wrong_proof_key: {
    title: 'A bound key came without its private key',
    meaning: 'Somebody may have a copy of the key. Without its private key, the copy is worthless.',
    handled: ['refused the request'],
  },
  wrong_place: {
    title: 'Keys were used in the wrong place',
    meaning: 'Genuine keys came to another audience, environment or network than they are for.',
    handled: ['refused the keys'],
  },
  scope_escalation: {
    title: 'A client asks for more than it may have',
    meaning: 'The policy of the client does not allow its requests. Its credentials may be stolen.',
    handled: ['refused the requests'],
  },
  network_changed: {
    title: 'A key was used by another machine',
    meaning: 'It came from another network and another program than it was issued to.',
    handled: ['let it pass, because this alone may be harmless'],
  },
  many_networks: {
    title: 'One key is used from many networks',
    meaning:
      'Several parties have the same key. It was probably published in a log, a ticket or a repository.',
    handled: [],
  },
  spoofed_proxy: {
    title: 'A stranger claims to be your proxy',
    meaning: 'Requests with headers of a proxy come from an address that you do not trust.',
    handled: ['refused the requests'],
  },
  algorithm_tricks: {
    title: 'One address sends forged tokens',
    meaning: 'Somebody tries tokens with wrong headers or signatures.',
    handled: ['refused all of them'],
  },
  client_guessing: {
    title: 'Somebody guesses the secret of a client',
    meaning: 'Many requests for this client came with wrong credentials.',
    handled: [
      'refused all of them',
      'did not lock the client, because a stranger could lock it out like this',
    ],
  },
  source_guessing: {
    title: 'One address guesses secrets of clients',
    meaning: 'Many requests with wrong credentials for several clients came from one address.',
    handled: ['refused all of them'],
  },
  registration_burst: {
    title: 'Many clients were registered in minutes',
    meaning: 'This is normal for the first installation of a fleet, and unusual otherwise.',
    handled: [],
  },
  misused_registration_token: {
    title: 'A registration token was used for another client',
    meaning: 'The token of one client was sent to change another client.',
    handled: ['refused the request', 'revoked the token'],
  },
  canary: {
    title: 'Somebody has touched a canary',
    meaning: 'Nobody has a reason to use this client: somebody has read the place where you put it.',
    handled: [],
  },
  leaked_key: {
    title: 'A key was found and reported',
    meaning: 'Somebody has found a key or token of yours, and has sent it to this server.',
    handled: ['revoked what was still valid'],
  },
  issuance_burst: {
    title: 'A client asks for unusually many keys',
    meaning: 'It asks for many more keys than usual, and from new networks.',
    handled: [],
  },
  stockpiling: {
    title: 'A client collects keys',
    meaning: 'It asks for keys, and does not redeem them as it usually does.',
    handled: [],
  },
  fast_redemption: {
    title: 'Keys are redeemed implausibly fast',
    meaning: 'Another program may redeem the keys before the device can.',
    handled: [],
  },
  late_redemption: {
    title: 'A client redeems its keys in the last moment',
    meaning: 'It redeems every key just before it expires.',
    handled: [],
  },
  skewed_clocks: {
    title: 'The clocks of several clients are wrong',
    meaning: 'Several addresses send times that are too early or too late.',
    handled: ['refused the requests'],
  },
  silent_client: {
    title: 'A client has fallen silent',
    meaning: 'It asked for keys regularly, and has stopped, while other clients are active.',
    handled: [],
  },
}

export const RULE_IDS = Object.freeze(Object.keys(RULES))

/**
 * @param {string} rule
 * @param {string} [title] the words of the server, for a rule that this page does not know
 * @returns {RuleWords}
 */
export function wordsOfRule(rule, title) {
  const known = Object.hasOwn(RULES, rule) ? RULES[rule] : undefined
  return known ?? { title: title ?? rule.replaceAll('_', ' '), meaning: '', handled: [] }
}

/**
 * What the responses of rules do. `report` does nothing more.
 *
 * @type {Readonly<Record<string, string>>}
 */
export const RESPONSES = {
  throttle: 'allows the client only one outstanding key at a time',
  stepUp: 'gives the client only bound keys',
  lockClient: 'locked the client',
  revokeKey: 'revoked the key',
  revokeFamily: 'revoked everything that the key was redeemed for',
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
