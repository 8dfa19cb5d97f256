import { readSample } from './event-words.mjs'
import { clientOf } from './findings.mjs'

/** @typedef {import('./api.mjs').LoggedEvent} LoggedEvent */
/** @typedef {{ code: string, keyId?: string }} Seen */

/**
 * What the page knows about the events of a finding.
 *
 * @typedef {object} Evidence
 * @property {readonly import('./event-words.mjs').Sample[]} samples the examples of the finding, from all processes
 * @property {readonly Seen[]} seen the events of the finding, or as many as there are
 * @property {boolean} isComplete whether these are all
 * @property {readonly LoggedEvent[]} logged the events of the page that name the client, the latest first
 */

/**
 * The finding itself has a few examples. The events of the page are often more, and say more.
 *
 * @param {import('./api.mjs').Finding} finding
 * @param {readonly LoggedEvent[]} log the latest first
 * @returns {Evidence}
 */
export function eventsOf(finding, log) {
  const samples = finding.samples.map(readSample).filter((sample) => sample !== undefined)
  const types = new Set(samples.map(({ code }) => sortOf(code)))
  const clientId = clientOf(finding)
  const logged = clientId === undefined ? [] : log.filter((event) => event.clientId === clientId)
  // The times of a finding are whole seconds.
  const during = logged.filter(
    ({ code, at }) => types.has(sortOf(code)) && at >= finding.firstAt && at < finding.lastAt + 1,
  )
  const seen = during.length > samples.length ? during : samples
  return { samples, seen, isComplete: seen.length >= finding.count, logged }
}

/** @param {string} code */
export function typeOf(code) {
  return code.split(':')[0] ?? ''
}

/**
 * What a rule looks at: refusals for one reason, or events of one type.
 *
 * @param {string} code
 */
function sortOf(code) {
  return code.startsWith('request.refused:') ? code : typeOf(code)
}

/** @param {string} code */
export function hasRevoked(code) {
  return code.endsWith(':revoked') || code.endsWith(':family_revoked')
}

const REVOKING = /^(key|family)\.revoked$/

/**
 * Whether the page knows that all keys of the events are revoked.
 *
 * @param {Evidence} evidence
 */
export function areRevoked(evidence) {
  return haveAll(evidence, ({ type, code }) => REVOKING.test(type) || hasRevoked(code))
}

/**
 * Whether the page knows that nobody can use the keys of the events any more.
 *
 * @param {Evidence} evidence
 */
export function areOver(evidence) {
  return haveAll(
    evidence,
    ({ type, code }) => type === 'key.redeemed' || REVOKING.test(type) || hasRevoked(code),
  )
}

/**
 * @param {Evidence} evidence
 * @param {(event: LoggedEvent) => boolean} accepts an event that each key must have
 */
function haveAll({ seen, isComplete, logged }, accepts) {
  const keys = new Set(logged.filter(accepts).map(({ keyId }) => keyId))
  return isComplete && seen.every(({ keyId }) => keys.has(keyId))
}
