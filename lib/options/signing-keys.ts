import { createPrivateKey, createPublicKey, createSecretKey, KeyObject, sign, verify } from 'node:crypto'
import { describe, describeSecret, type Faults } from '../base/faults.js'
import { isObject } from '../base/object.js'
import { noteRepeated, type Reader } from '../base/schema.js'
import {
  ASYMMETRIC_ALGORITHMS,
  algorithmsFor,
  type Jwk,
  type KeyAlgorithm,
  MINIMUM_HMAC_BITS,
  proofAlgorithmsFor,
  RSA_FORM,
  thumbprint,
} from '../jose/jwk.js'
import type { ActiveKey, SigningKey } from '../jose/key-ring.js'
import { VerifiedTokens } from '../jose/verified-tokens.js'

/**
 * A key as PEM text, JWK or `KeyObject`.
 *
 * @example
 * import { readFileSync } from 'node:fs'
 *
 * const key: KeyMaterial = readFileSync('signing-key.pem', 'utf8')
 */
export type KeyMaterial = string | Jwk | KeyObject

/**
 * A signing key with its algorithm.
 *
 * @example
 * const { SIGNING_KEY = '' } = process.env
 * const options: SigningKeyOptions = { key: SIGNING_KEY, alg: 'PS256' }
 */
export interface SigningKeyOptions {
  /**
   * The key as PEM text, JWK or `KeyObject`.
   * @example process.env.SIGNING_KEY ?? ''
   */
  readonly key: KeyMaterial
  /**
   * Its algorithm. Default: `RS256` for RSA, `HS256` for a secret, and the algorithm of the curve for EC.
   * @example 'PS256'
   */
  readonly alg?: KeyAlgorithm
}

/**
 * A signing key, alone or with its algorithm. The first key of a list must be private, because it signs. The others can
 * be public.
 *
 * @example
 * const { SIGNING_KEY = '' } = process.env
 * const signingKey: SigningKeyInput = { key: SIGNING_KEY, alg: 'PS256' }
 */
// A JWK has no member `key`. If its type did not say so, a wrong `alg` beside a `key` would be an error about `key`.
export type SigningKeyInput = string | KeyObject | (Jwk & { readonly key?: never }) | SigningKeyOptions

export const SIGNING_ALGORITHMS: readonly KeyAlgorithm[] = [...ASYMMETRIC_ALGORITHMS, 'HS256']

/** The option `signingKeys`, after it is read. */
export interface SigningKeys {
  readonly active: ActiveKey
  readonly others: readonly SigningKey[]
}

export const readSigningKeys: Reader<SigningKeys> = (value, path, faults) => {
  const inputs = Array.isArray(value) ? value : value === undefined ? [] : [value]
  if (inputs.length === 0) {
    faults.reject(path, "a PEM, a JWK, a KeyObject, or generateSigningKeys('ES256')", value)
  }
  const keys = inputs.map((input, index) => readSigningKey(input, `${path}[${index}]`, faults))
  const kids = keys.map((key) => key?.kid)
  const twice = kids.findIndex((kid, index) => kid !== undefined && kids.indexOf(kid) !== index)
  if (twice !== -1) faults.add(`${path}[${twice}]`, 'a key that is not in the list yet', 'the same key again')
  const [active, ...others] = keys
  if (active === undefined) return undefined as never
  if (active.privateKey === undefined) {
    faults.add(`${path}[0]`, 'a private key, because the first key signs', 'a public key')
    return undefined as never
  }
  return { active: active as ActiveKey, others: others.filter((key) => key !== undefined) }
}

/** Reads one key. `undefined`: it has a fault, which is noted. */
export function readSigningKey(input: unknown, path: string, faults: Faults): SigningKey | undefined {
  const wrapped = isObject(input) && !(input instanceof KeyObject) && 'key' in input
  if (wrapped) faults.addUnknownNames(path, input, ['key', 'alg'])
  const material: unknown = wrapped ? input.key : input
  const key = readMaterial(material)
  if (key === undefined) {
    faults.add(
      path,
      'a PEM, a JWK or a KeyObject',
      typeof material === 'string' ? describeText(material) : describe(material),
    )
    return undefined
  }
  const own = isObject(material) && !(material instanceof KeyObject) ? material.alg : undefined
  const wanted = wrapped ? (input.alg ?? own) : own
  const alg = chooseAlgorithm(path, key, wanted, faults)
  if (alg === undefined) return undefined
  const kid = thumbprint(key)
  // An HMAC takes no longer than the look-up of a verified token.
  if (key.type === 'secret') return { kid, alg, privateKey: key, publicKey: key }
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  if (key.type === 'private' && !isPair(key, publicKey)) {
    faults.add(path, 'a private key with its own public key', 'one with the public key of another')
    return undefined
  }
  const verifiedTokens = new VerifiedTokens()
  return { kid, alg, publicKey, verifiedTokens, ...(key.type === 'private' && { privateKey: key }) }
}

/** Before version 24, Node does not compare the two parts of a key. With a wrong one, every token that we sign would be refused. */
function isPair(privateKey: KeyObject, publicKey: KeyObject): boolean {
  const text = Buffer.from('signed with the private key')
  return verify('sha256', text, publicKey, sign('sha256', text, privateKey))
}

/** An unset variable usually gives an empty text. */
function describeText(text: string): string {
  return text === '' ? 'an empty text' : 'text that is not a PEM key'
}

/**
 * Reads RSA keys for RS256, alone or in a list: a private one that signs, and others, which may be public. No fault shows a
 * part of one.
 */
export const readRs256Keys: Reader<SigningKeys> = (value, path, faults) => {
  const isList = Array.isArray(value) && value.length > 0
  const pathOf = (index: number) => (isList ? `${path}[${index}]` : path)
  const [active, ...others] = (isList ? value : [value]).map((one, index) => {
    const key = readMaterial(one)
    const mayBe = index === 0 ? ['private'] : ['private', 'public']
    if (key !== undefined && mayBe.includes(key.type) && algorithmsFor(key).includes('RS256'))
      return rs256Key(key)
    const given = key === undefined ? describeSecret(one) : `a ${key.type} key: ${describeKey(key)}`
    faults.add(pathOf(index), `${RSA_FORM}, as a ${mayBe.join(' or ')} PEM, JWK or KeyObject`, given)
    return undefined
  })
  const kids = [active, ...others].map((key) => key?.kid)
  noteRepeated(kids, pathOf, 'a key that is not in the list yet', faults)
  return { active: active as ActiveKey, others: others.filter((key) => key !== undefined) }
}

function rs256Key(key: KeyObject): SigningKey {
  const kid = thumbprint(key)
  return key.type === 'private'
    ? { kid, alg: 'RS256', privateKey: key, publicKey: createPublicKey(key) }
    : { kid, alg: 'RS256', publicKey: key }
}

/** Reads the public key of another party. `undefined`: it is not a public key, or it is too weak. */
export function readPublicKey(material: unknown): KeyObject | undefined {
  const isPrivate = typeof material === 'string' && material.includes('PRIVATE KEY')
  const key = isPrivate ? undefined : readMaterial(material)
  return key?.type === 'public' && proofAlgorithmsFor(key).length > 0 ? key : undefined
}

function readMaterial(material: unknown): KeyObject | undefined {
  if (material instanceof KeyObject) return material
  // createPublicKey() would accept a private CryptoKey without an error. The user can convert it by KeyObject.from().
  if (Object.prototype.toString.call(material) === '[object CryptoKey]') return undefined
  try {
    if (typeof material === 'string') {
      return material.includes('PRIVATE KEY') ? createPrivateKey(material) : createPublicKey(material)
    }
    if (!isObject(material)) return undefined
    if (material.kty === 'oct') {
      const { k } = material
      // RFC 7515 2: Node skips all other characters.
      return typeof k === 'string' && /^[\w-]*$/.test(k) ? createSecretKey(k, 'base64url') : undefined
    }
    const input = { key: material, format: 'jwk' as const }
    return material.d === undefined ? createPublicKey(input) : createPrivateKey(input)
  } catch {
    return undefined
  }
}

function chooseAlgorithm(
  path: string,
  key: KeyObject,
  wanted: unknown,
  faults: Faults,
): KeyAlgorithm | undefined {
  const possible = algorithmsFor(key)
  if (possible.length === 0) {
    faults.add(path, USABLE, describeKey(key))
    return undefined
  }
  const alg = wanted === undefined ? possible[0] : possible.find((one) => one === wanted)
  if (alg === undefined) faults.reject(`${path}.alg`, `${possible.join(' or ')} for this key`, wanted)
  return alg
}

const USABLE =
  `an EC key on P-256, P-384 or P-521, ${RSA_FORM}, ` +
  `or an HMAC secret of at least ${MINIMUM_HMAC_BITS} bits`

function describeKey(key: KeyObject): string {
  if (key.type === 'secret') return `an HMAC secret of ${(key.symmetricKeySize ?? 0) * 8} bits`
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {}
  const size = modulusLength === undefined ? '' : ` of ${modulusLength} bits`
  return `a key of type ${key.asymmetricKeyType}${size}${namedCurve === undefined ? '' : ` on ${namedCurve}`}`
}
