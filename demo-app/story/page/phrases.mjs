/** What the server does, for each type of event of the story. */
const PHRASES = {
  'key.issued': 'issues a key',
  'key.verified': 'accepts the key',
  'key.redeemed': 'redeems the key',
  'key.released': 'releases the key',
  'key.revoked': 'revokes the key',
  'key.moved': 'sees the key in another network',
  'key.replayed': 'detects a replay',
  'key.exposed': 'revokes the exposed key',
  'key.forged': 'detects a forged key',
  'redemption.repeated': 'repeats its response',
  'client.bound': 'binds the public key to the device',
  'client.registered': 'registers the device',
  'client.deleted': 'deletes the client',
  'client.unbound': 'deletes the binding',
  'token.issued': 'issues an access token',
  'token.verified': 'accepts the access token',
  'request.refused': 'refuses the request',
}

/**
 * @param {string} event
 * @returns {string}
 */
export function phraseOf(event) {
  return PHRASES[/** @type {keyof typeof PHRASES} */ (event)] ?? event
}

/** What each rule of the story has found. */
const FINDINGS = {
  wrong_proof_key: 'A bound key came without a proof of the private key that it is bound to.',
  replayed_key: 'A redeemed key was used again.',
  cleartext_exposure: 'A genuine key came over plain HTTP.',
  forged_key: 'A token has a valid signature, but the server never issued this token.',
  client_guessing: 'Somebody guesses the credentials of a client.',
  network_changed: 'A key came from another network and another program.',
  many_networks: 'One key came from several networks.',
  dead_key: 'An expired or revoked key was used.',
}

/**
 * @param {string} rule
 * @returns {string}
 */
export function findingText(rule) {
  return FINDINGS[/** @type {keyof typeof FINDINGS} */ (rule)] ?? rule
}

/**
 * Who or what a finding is about, at the beginning of a sentence.
 *
 * @param {string} subject such as `client:demo-client`
 * @returns {string}
 */
export function subjectText(subject) {
  if (subject === 'deployment') return 'The whole deployment'
  const words = subject.replace(':', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

const RESPONSES = {
  report: 'This rule only reports what happened.',
  throttle: 'The rule has limited the client to one key at a time.',
  stepUp: 'The client gets only bound keys now.',
  revokeKey: 'The rule has revoked the key.',
  revokeFamily: 'The rule has revoked what the key gave.',
  lockClient: 'The rule has locked the client.',
}

/**
 * @param {readonly string[]} actions
 * @returns {string}
 */
export function responseText(actions) {
  return actions
    .map((action) => RESPONSES[/** @type {keyof typeof RESPONSES} */ (action)] ?? action)
    .join(' ')
}
