/** What each event means, in words. A code with an outcome comes before its type. */
const WORDS = {
  'key.issued': 'Key issued',
  'key.verified': 'Key accepted by a guard',
  'redemption.started': 'Redemption began',
  'key.redeemed:token': 'Key redeemed for an access token',
  'key.redeemed:bind': 'Key redeemed to bind a device',
  'key.redeemed:register': 'Key redeemed to register a client',
  'key.redeemed:route': 'Key redeemed by your route',
  'key.moved': 'Key sent from a new network',
  'redemption.repeated': 'Owner repeated a redemption and got the same answer',
  'key.released': 'Redemption failed: the key can be used again',
  'redemption.stalled': 'Key refused: another request keeps it reserved',
  'key.replayed:family_revoked': 'Used key sent again: refused, and any access token of it revoked',
  'key.replayed': 'Used key sent again: refused',
  'family.revoked': 'Operator revoked the results of a key',
  'key.revoked': 'Key revoked',
  'key.forged': 'Forged key refused',
  'keys.revoked': 'Many keys revoked together',
  'key.exposed:revoked': 'Key came over plain HTTP: revoked',
  'key.exposed': 'Bound key came over plain HTTP',
  'key.leaked:revoked': 'Key was reported as leaked: revoked',
  'key.leaked': 'Key was reported as leaked',
  'canary.used': 'Somebody uses a canary',
  'client.bound': 'Device bound to its client',
  'client.unbound': 'Binding removed',
  'binding.confirmed': 'Device has used its binding for the first time',
  'binding.undone': 'Unused binding undone',
  'client.registered': 'Client registered',
  'client.updated': 'Client changed its registration',
  'client.deleted': 'Client deleted',
  'client.flagged': 'Key of this client was used again: check the client',
  'registration.confirmed': 'Client used for the first time',
  'registration.undone': 'Unused registration undone',
  'registration.misused': 'Registration token used for another client',
  'registration.exposed': 'Registration token came over plain HTTP',
  'registration.leaked': 'Registration token was reported as leaked',
  'refusals.summarized': 'Further refusals of one address',
  'finding.closed': 'Finding closed',
  'client.locked:lock': 'Client locked',
  'client.locked:stepUp': 'Client now needs bound keys',
  'client.locked:throttle': 'Client throttled',
  'client.unlocked': 'Client unlocked',
  'token.issued': 'Access token issued',
  'token.verified': 'Access token accepted',
  'token.revoked': 'Access token revoked',
  'token.forged': 'Forged access token refused',
  'token.exposed:revoked': 'Access token came over plain HTTP: revoked',
  'token.exposed': 'Bound access token came over plain HTTP',
  'token.leaked:revoked': 'Access token was reported as leaked: revoked',
  'token.leaked': 'Access token was reported as leaked',
  'signing_key.added': 'Signing key added',
  'signing_key.rotated': 'Signing key replaced',
  'signing_key.removed': 'Signing key removed',
  'signing_keys.unavailable': 'Signing keys of the issuer cannot be fetched',
  'configuration.advised': 'Advice about the configuration',
  'events.dropped': 'Events were dropped',
  'administration.acted': 'An operator has acted',
  'administration.refused': 'Administration refused a request',
}

/** The reasons of refusals that need other words than their names. */
const REASONS = {
  cleartext: 'it came over plain HTTP',
  possession_unproven: 'no proof of the private key',
  key_expired: 'the key has expired',
  key_revoked: 'the key is revoked',
  key_redeemed: 'the key was used before',
  key_redeeming: 'the key is in use',
  key_unknown: 'a key that was never issued',
  key_forged: 'a forged key',
  token_unknown: 'a token that was never issued',
  signature_wrong: 'wrong signature',
  audience_wrong: 'a key for another audience',
  environment_wrong: 'a key of another environment',
  network_wrong: 'a key of another network',
  client_secret_wrong: 'wrong client secret',
  client_unknown: 'unknown client',
  client_locked: 'the client is locked',
  too_many_requests: 'too many requests',
  too_many_keys_outstanding: 'the client has too many outstanding keys',
  store_unavailable: 'the store cannot be reached',
}

/**
 * @param {string} code such as `request.refused:key_expired`
 * @returns {string} a short sentence without its subject
 */
export function wordsOfCode(code) {
  const [type = '', outcome = ''] = code.split(':')
  if (type === 'request.refused') return `Request refused: ${read(REASONS, outcome) ?? spaced(outcome)}`
  return read(WORDS, code) ?? read(WORDS, type) ?? spaced(type)
}

/**
 * @param {Readonly<Record<string, string>>} table
 * @param {string} key
 */
function read(table, key) {
  return Object.hasOwn(table, key) ? table[key] : undefined
}

/** @param {string} name */
export function spaced(name) {
  return name.replace(/[._]/g, ' ')
}

/**
 * @typedef {object} Sample
 * @property {number} at
 * @property {string} code
 * @property {string} [keyId]
 * @property {string} [fate] of the client or the binding that a key gave, after a replay
 * @property {string} [address]
 * @property {string} [subject] the device that the key is for, if that is not the client
 * @property {string} [agent]
 */

const SAMPLE = /^(\S+) (\S+)(?: key (\S+))?(?: family (\S+))?(?: from (\S+))?(?: for (\S+))?(?: by (.*))?$/su

/**
 * Reads a sample of a finding: a time, a code, and perhaps a key, a fate, an address, a device and a program.
 *
 * @param {string} sample
 * @returns {Sample | undefined} nothing if it is of another form
 */
export function readSample(sample) {
  const [, stamp = '', code, keyId, fate, address, subject, agent] = SAMPLE.exec(sample) ?? []
  const at = Date.parse(stamp) / 1000
  if (code === undefined || Number.isNaN(at)) return undefined
  return {
    at,
    code,
    ...(keyId !== undefined && { keyId }),
    ...(fate !== undefined && { fate }),
    ...(address !== undefined && { address }),
    ...(subject !== undefined && { subject: decoded(subject) }),
    ...(agent !== undefined && { agent }),
  }
}

/** @param {string} text which may end within an encoded character */
function decoded(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
