import { CLIENT_ID } from '../clients/policy.js'
import { describe, type Faults, join } from '../base/faults.js'
import { isObject } from '../base/object.js'
import { importPublicJwk, publicJwkFault, thumbprint } from '../jose/jwk.js'
import { MOST_BINDINGS } from '../ports/policy-options.js'
import type { Confirmation } from '../ports/store.js'

const MEMBERS = ['bindingId', 'confirmation', 'jwk', 'boundAt', 'keyId', 'askedBy', 'lineage', 'flaggedAt']

/** SHA-256 in base64url, as `jkt` and `x5t#S256` are. */
const THUMBPRINT = /^[\w-]{43}$/

/** What `bindings` must be; of what its entries must be, `noteBindings` tells. */
export const BINDINGS = [`a list of at most ${MOST_BINDINGS} bindings`, isBindings] as const

function isBindings(value: unknown): boolean {
  return Array.isArray(value) && value.length <= MOST_BINDINGS && value.every(isObject)
}

/** Notes what is wrong with the form of a client's bindings. No key is imported. */
export function noteBindings(path: string, bindings: unknown, noted: Faults): void {
  if (!isBindings(bindings)) return
  const ids = new Set<unknown>()
  for (const [index, binding] of (bindings as Record<string, unknown>[]).entries()) {
    noteBinding(`${path}[${index}]`, binding, noted)
    const { bindingId } = binding
    if (ids.has(bindingId))
      noted.add(`${path}[${index}].bindingId`, 'an id that no other has', describe(bindingId))
    ids.add(bindingId)
  }
}

function isKeyRef(value: unknown): boolean {
  return isObject(value) && isClientId(value.clientId) && isId(value.jti)
}

function noteBinding(path: string, binding: Record<string, unknown>, noted: Faults): void {
  const { bindingId, confirmation, jwk, boundAt, keyId, askedBy = '-', lineage = [], flaggedAt = 0 } = binding
  const expect = (name: string, expected: string, holds: boolean) =>
    holds || noted.add(join(path, name), expected, describe(binding[name]))
  noted.addUnknownNames(path, binding, MEMBERS)
  expect('bindingId', 'an id', isId(bindingId))
  expect('keyId', 'the jti of a provisioning key', isId(keyId))
  expect('askedBy', 'the id of a client', isClientId(askedBy))
  expect(
    'lineage',
    'a list of objects with clientId and jti',
    Array.isArray(lineage) && lineage.every(isKeyRef),
  )
  expect('boundAt', NUMERIC_DATE, isNumericDate(boundAt))
  expect('flaggedAt', NUMERIC_DATE, isNumericDate(flaggedAt))
  const isConfirmed = isConfirmation(confirmation)
  expect('confirmation', 'either a jkt or an x5t#S256, 43 characters of base64url', isConfirmed)
  if (!isConfirmed) return
  const { jkt } = confirmation
  if (jkt === undefined) expect('jwk', 'none beside the x5t#S256 of a certificate', jwk === undefined)
  else expect('jwk', KEY_OF_THE_JKT, publicJwkFault(jwk) === undefined)
}

const KEY_OF_THE_JKT = 'the public key of which the jkt is the thumbprint'

/** Imports the bound keys of a client, and notes those that are faulty although their form is not. */
export function noteBoundKeys(path: string, bindings: unknown, noted: Faults): void {
  if (!isBindings(bindings)) return
  for (const [index, { confirmation, jwk }] of (bindings as Record<string, unknown>[]).entries()) {
    const isFormed = isConfirmation(confirmation) && publicJwkFault(jwk) === undefined
    if (!isFormed || confirmation.jkt === undefined || isKeyOf(confirmation.jkt, jwk)) continue
    noted.add(`${path}[${index}].jwk`, KEY_OF_THE_JKT, describe(jwk))
  }
}

const NUMERIC_DATE = 'a NumericDate: whole seconds since 1970, not milliseconds'

function isId(value: unknown): boolean {
  return typeof value === 'string' && /^[\x21-\x7e]{1,255}$/.test(value)
}

function isClientId(value: unknown): boolean {
  return typeof value === 'string' && CLIENT_ID.test(value)
}

/** Milliseconds, taken for seconds, would never come: they are refused. */
export function isNumericDate(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < 1e11
}

function isConfirmation(value: unknown): value is Confirmation {
  if (!isObject(value)) return false
  const [[name, text] = [], ...others] = Object.entries(value)
  const isKnown = name === 'jkt' || name === 'x5t#S256'
  return isKnown && typeof text === 'string' && THUMBPRINT.test(text) && others.length === 0
}

function isKeyOf(jkt: string, jwk: unknown): boolean {
  const key = importPublicJwk(jwk)
  return typeof key !== 'string' && thumbprint(key) === jkt
}

/** Whether anything is bound of one kind: a key or a certificate. */
export function bindsBy(bindings: unknown, member: keyof Confirmation): boolean {
  const isOfKind = (one: unknown) => isObject(one) && isObject(one.confirmation) && member in one.confirmation
  return Array.isArray(bindings) && bindings.some(isOfKind)
}
