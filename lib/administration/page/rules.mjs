/**
 * What each rule has found, in words for somebody who sees it for the first time.
 *
 * @typedef {'now' | 'today' | 'week' | 'none'} Urgency
 * @typedef {readonly [Urgency, string]} Step what to do, and how soon; or why there is nothing to do
 */

/**
 * @typedef {object} RuleWords
 * @property {string} title `{a|b}` stands for `a`, and for `b` where the subject is named. Then `*` is the subject
 * @property {string} meaning
 * @property {readonly string[]} [done] what the server does in every case, before the responses of the rule
 * @property {readonly string[]} [left] what the server does not do by itself
 * @property {Step} next
 */

/** @type {Readonly<Record<string, RuleWords>>} */
const RULES = {
  replayed_key: {
    title: 'A used key{| of *} was sent again',
    meaning:
      'A provisioning key works only once. Somebody has sent one that was redeemed before, so there may be a copy of it.',
    done: ['refused the request'],
    next: ['today', 'give the device a new key, and find out where the old one was copied'],
  },
  dead_key: {
    title: 'Expired or revoked keys{| of *} are still in use',
    meaning:
      'This is often an old provisioning key in a script. It can also be somebody who has found old keys.',
    done: ['refused the keys'],
    next: ['today', 'find out where the old keys come from, and remove them there'],
  },
  cleartext_exposure: {
    title: 'A key or token{| of *} came over plain HTTP',
    meaning: 'Everybody on the way could read it. The usual cause is a wrong URL in a client.',
    done: ['refused the request'],
    next: ['today', 'correct the URL of the client: it must begin with https'],
  },
  forged_key: {
    title: 'Somebody may have your signing key',
    meaning:
      'A token has a valid signature of yours, but this server has never issued it. With your signing key, anybody can make more.',
    done: ['refused the token'],
    left: ['did not replace the signing key: it stays in use until you replace it'],
    next: ['now', 'replace your signing key, unless your store has lost its data'],
  },
  wrong_proof_key: {
    title: 'A bound key{| of *} came without its private key',
    meaning:
      'Somebody may have a copy of the provisioning key. Without its private key, the copy is worthless.',
    done: ['refused the request'],
    next: ['today', 'if you do not know the sender, revoke the key, and find out where it was copied'],
  },
  wrong_place: {
    title: 'Keys{| of *} were used in the wrong place',
    meaning: 'Genuine provisioning keys came to another audience, environment or network than they are for.',
    done: ['refused the keys'],
    next: [
      'today',
      'correct the configuration of the client. If you do not know the sender, revoke its unused keys',
    ],
  },
  scope_escalation: {
    title: '{A client|*} asks for more than it may have',
    meaning: 'The policy of the client does not allow its requests. Its credentials may be stolen.',
    done: ['refused the requests'],
    next: [
      'today',
      'ask the owner of the client why it needs more. If nobody knows, replace its credentials',
    ],
  },
  network_changed: {
    title: 'A key{| of *} came from another machine',
    meaning: 'The provisioning key came from another network and another program than it was issued to.',
    left: ['did not refuse the key for this, because this alone may be harmless'],
    next: ['today', 'revoke the key, unless you know both machines'],
  },
  many_networks: {
    title: 'One key{| of *} came from many networks',
    meaning:
      'Several parties have the same provisioning key. It was probably published in a log, a ticket or a repository.',
    next: ['today', 'give the device a new key, and find out where the old one was published'],
  },
  spoofed_proxy: {
    title: '{A stranger|*} claims to be your proxy',
    meaning: 'Requests with headers of a proxy come from an address that you do not trust.',
    done: ['refused the requests'],
    next: [
      'week',
      'close the port of the app to everybody but your proxy. If this is your proxy, trust its address',
    ],
  },
  algorithm_tricks: {
    title: '{One address|*} sends forged tokens',
    meaning: 'Somebody tries tokens with wrong headers or signatures.',
    done: ['refused all of them'],
    next: ['none', 'the server has refused everything. If more come, block the address at your proxy'],
  },
  client_guessing: {
    title: 'Somebody guesses the credentials of {a client|*}',
    meaning: 'Many requests for this client came with wrong credentials.',
    done: ['refused all of them'],
    left: ['did not lock the client, because a stranger could lock it out like this'],
    next: ['today', 'block the address at your proxy. If it is your client, give it its new credentials'],
  },
  source_guessing: {
    title: '{One address|*} guesses the credentials of clients',
    meaning: 'Many requests with wrong credentials for several clients came from one address.',
    done: ['refused all of them'],
    next: ['today', 'block the address at your proxy, unless it is a gateway of your devices'],
  },
  registration_burst: {
    title: '{A client|*} registered many clients in minutes',
    meaning: 'This is normal for the first installation of a fleet, and unusual otherwise.',
    left: ['let the client register them'],
    next: ['today', 'ask the owner of the client whether it installs devices now. If not, lock the client'],
  },
  misused_registration_token: {
    title: 'A registration token{| of *} was used for another client',
    meaning: 'The registration token of one client was sent to change another client.',
    done: ['refused the request'],
    next: ['today', 'if you do not know the sender, delete the client, and provision it again'],
  },
  canary: {
    title: 'Somebody uses {a canary|the canary *}',
    meaning: 'Nobody has a reason to use this client: somebody has read the place where you put it.',
    next: ['now', 'replace all secrets that were stored in the same place'],
  },
  leaked_key: {
    title: 'A key or token{| of *} was found and reported',
    meaning: 'Somebody has found a key or token of yours, and has sent it to this server.',
    next: ['today', 'remove it from the place where it was found, and look there for other secrets'],
  },
  issuance_burst: {
    title: '{A client|*} asks for unusually many keys',
    meaning: 'It asks for many more provisioning keys than usual, and from new networks.',
    left: ['issued the keys'],
    next: [
      'week',
      'ask the owner of the client whether it installs devices from a new network. If not, lock the client',
    ],
  },
  stockpiling: {
    title: '{A client|*} collects keys and does not redeem them',
    meaning: 'It usually redeems most of its provisioning keys.',
    left: ['issued the keys'],
    next: ['week', 'check whether the devices of the client can redeem their keys'],
  },
  fast_redemption: {
    title: 'A key{| of *} was redeemed much faster than usual',
    meaning: 'Another program may redeem the provisioning keys before the device can.',
    left: ['accepted the keys'],
    next: ['week', 'compare the networks that asked for the keys with those that redeemed them'],
  },
  late_redemption: {
    title: '{A client|*} redeems its keys just before they expire',
    meaning: 'A program may keep the provisioning keys for longer than the device needs.',
    left: ['accepted the keys'],
    next: [
      'week',
      'find out why the client keeps its keys for so long. If its devices are slow, allow a longer lifetime',
    ],
  },
  skewed_clocks: {
    title: 'The clocks of several clients are wrong',
    meaning: 'Several addresses send times that are too early or too late.',
    done: ['refused the requests'],
    next: ['week', 'compare the clock of the server with a time server'],
  },
  silent_client: {
    title: '{A client that regularly asked for keys|*, which regularly asked for keys,} has stopped',
    meaning: 'Other clients are still active.',
    next: ['week', 'check whether the client runs, and whether it can reach the server'],
  },
}

export const RULE_IDS = Object.freeze(Object.keys(RULES))

const SLOT = /\{([^|]*)\|([^}]*)\}/

/**
 * @param {string} rule
 * @param {string} [title] the words of the server, for a rule that this page does not know
 * @returns {RuleWords} with a title that names no subject
 */
export function wordsOfRule(rule, title) {
  const known = Object.hasOwn(RULES, rule) ? RULES[rule] : undefined
  if (known !== undefined) return { ...known, title: known.title.replace(SLOT, '$1') }
  const next = /** @type {const} */ (['today', 'follow the steps of this finding'])
  return { title: title ?? rule.replaceAll('_', ' '), meaning: '', next }
}

/**
 * The title of a rule around the place of its subject, as in `A used key of ` and ` was sent again`.
 *
 * @param {string} rule
 * @returns {readonly [string, string] | undefined} nothing if the title has no such place
 */
export function titleAround(rule) {
  const known = Object.hasOwn(RULES, rule) ? RULES[rule] : undefined
  const [before, after] = known?.title.replace(SLOT, '$2').split('*') ?? []
  return before === undefined || after === undefined ? undefined : [before, after]
}
