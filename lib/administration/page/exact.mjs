import { areOver, areRevoked, hasRevoked, typeOf } from './evidence.mjs'
import { replayed } from './replay.mjs'
import { counted, listed } from './text.mjs'

/** @typedef {import('./api.mjs').Finding} Finding */
/** @typedef {import('./evidence.mjs').Evidence} Evidence */
/** @typedef {import('./rules.mjs').Step} Step */

/**
 * What depends on the events of a finding. It is in addition to the words of its rule, only `next` replaces them.
 *
 * @typedef {object} Exact
 * @property {string[]} [done]
 * @property {string[]} [left]
 * @property {Step} [next]
 * @property {number} [cutOff] how many devices need a new key
 */

/** @type {Step} */
const COPIED = ['today', 'if you do not know the sender, find out where the key was copied']

/** The rules whose outcome depends on the events. @type {Readonly<Record<string, (evidence: Evidence, finding: Finding) => Exact>>} */
export const EXACT = {
  replayed_key: replayed,
  cleartext_exposure: exposed,
  leaked_key: leaked,
  misused_registration_token: misused,
  wrong_proof_key: (evidence) => (areOver(evidence) ? { next: COPIED } : {}),
  network_changed: (evidence) => (areRevoked(evidence) ? { next: ['none', 'the key is revoked'] } : {}),
  many_networks: shared,
  algorithm_tricks: ofOldKeys,
}

/** @type {Readonly<Record<string, string>>} */
const CREDENTIALS = { key: 'provisioning key', token: 'access token', registration: 'registration token' }

/**
 * @param {Evidence} evidence
 * @param {Finding} finding
 */
function revocations({ seen, isComplete }, { count }) {
  const kindOf = (/** @type {string} */ code) => typeOf(code).split('.')[0] ?? ''
  const idOf = (/** @type {import('./evidence.mjs').Seen} */ { code, keyId }) => `${kindOf(code)} ${keyId}`
  const gone = new Set(seen.filter(({ code }) => hasRevoked(code)).map(idOf))
  // The second time, there is nothing left to revoke.
  const kept = new Set(seen.map(idOf).filter((id) => !gone.has(id)))
  const named = (/** @type {Set<string>} */ ids) => {
    const kinds = [...ids].map((id) => CREDENTIALS[id.split(' ')[0] ?? ''] ?? 'key')
    const each = [...new Set(kinds)].map((kind) => {
      const number = kinds.filter((one) => one === kind).length
      return number === 1 ? `the ${kind}` : counted(number, kind)
    })
    return `${listed(each)}${isComplete ? '' : ` of the last ${seen.length} of ${count} times`}`
  }
  const devices = new Set(
    seen.filter(({ code, keyId }) => hasRevoked(code) && keyId).map(({ keyId }) => keyId),
  )
  return {
    done: gone.size > 0 ? [`revoked ${named(gone)}`] : [],
    kept: kept.size > 0 ? named(kept) : undefined,
    keptIds: [...kept].map((id) => id.split(' ')[1]),
    cutOff: devices.size,
  }
}

/**
 * @param {Evidence} evidence
 * @param {Finding} finding
 * @returns {Exact}
 */
function exposed(evidence, finding) {
  const { done, kept, keptIds, cutOff } = revocations(evidence, finding)
  if (kept === undefined)
    return {
      done,
      cutOff,
      ...(cutOff > 0 && {
        next: ['today', 'correct the URL of the client to https, and give the device a new key'],
      }),
    }
  const isBound = keptIds.every((id) =>
    evidence.logged.some(
      ({ type, keyId, confirmation }) => type === 'key.issued' && keyId === id && confirmation,
    ),
  )
  return {
    done,
    left: [
      isBound
        ? `did not revoke ${kept}: without the private key, a copy is worthless`
        : `did not revoke ${kept}, for example because it is bound, used or revoked already`,
    ],
    ...(!isBound && {
      next: ['today', 'correct the URL of the client to https, and revoke the key if it still works'],
    }),
    cutOff,
  }
}

/**
 * @param {Evidence} evidence
 * @param {Finding} finding
 * @returns {Exact}
 */
function leaked(evidence, finding) {
  const { done, kept, cutOff } = revocations(evidence, finding)
  const left =
    kept === undefined ? [] : [`did not revoke ${kept}, for example because it is used or revoked already`]
  return { done, left, cutOff }
}

/**
 * @param {Evidence} evidence
 * @param {Finding} finding
 * @returns {Exact}
 */
function misused(evidence, finding) {
  const { done, kept } = revocations(evidence, finding)
  return { done, left: kept === undefined ? [] : ['could not revoke the registration token'] }
}

/**
 * @param {Evidence} evidence
 * @param {Finding} finding
 * @returns {Exact}
 */
function shared(evidence, { actions }) {
  if (actions.includes('revokeKey') || actions.includes('revokeFamily')) return {}
  if (areRevoked(evidence)) return { cutOff: 1 }
  return {
    left: ['did not revoke the key'],
    next: ['now', 'revoke the key and what it gave, because several parties have it'],
  }
}

/**
 * @param {Evidence} evidence
 * @returns {Exact}
 */
function ofOldKeys({ seen }) {
  const isOld = ({ code = '' }) => /:signing_key_(unknown|retired)$/.test(code)
  if (seen.length === 0 || !seen.every(isOld)) return {}
  return { next: ['today', 'check whether you have removed a signing key too early'] }
}
