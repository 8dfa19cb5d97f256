import { describeSecret, type Faults, newFaults } from '../base/faults.js'
import { object, whole } from '../base/schema.js'
import type { ActiveKey, SigningKey } from '../jose/key-ring.js'
import { generateSigningKey } from '../options/generated-keys.js'
import type { Config } from '../options/options.js'
import { readSigningKey, type SigningKeyInput } from '../options/signing-keys.js'
import type { Deployment } from '../ports/deployment.js'

/**
 * How a signing key is rotated.
 *
 * @example
 * // The other processes change their key within the next ten minutes.
 * const options: RotationOptions = { overlapSeconds: 600 }
 * await keys.rotateSigningKey(process.env.NEXT_SIGNING_KEY, options)
 */
export interface RotationOptions {
  /**
   * For how long other processes may go on signing with the key that retires here, in seconds. Default 0, at most
   * 86,400.
   * @example 600
   */
  readonly overlapSeconds?: number
}

/**
 * The result of a rotation.
 *
 * @example
 * const { kid, retired }: RotatedKey = await keys.rotateSigningKey()
 * console.log(`${kid} signs now; ${retired.kid} verifies until ${retired.until.toISOString()}`)
 */
export interface RotatedKey {
  /** The key that signs now. */
  readonly kid: string
  /** The key that signed before, and until when it verifies and is published. */
  readonly retired: { readonly kid: string; readonly until: Date }
}

/** The operations with signing keys. */
export interface SigningKeyOperations {
  /**
   * Adds a verification key and publishes it, so that every process knows it before any process signs with it.
   *
   * @throws ConfigurationError when it is not a key, is too weak, or is already among the keys
   */
  addSigningKey(key: SigningKeyInput): Promise<{ readonly kid: string }>
  /**
   * Signs with another key from now on. The previous key verifies until the last key or access token that it signed has
   * expired. Tokens that it signs later are refused.
   *
   * Without an argument, a key of the same algorithm is generated. It exists only in the memory of this process.
   *
   * @throws ConfigurationError when the key is public or too weak, is the active one, or has been retired
   */
  rotateSigningKey(next?: SigningKeyInput, options?: RotationOptions): Promise<RotatedKey>
  /**
   * Removes a key that is not the active one. Everything that it signed is refused immediately.
   *
   * @throws ConfigurationError when there is no such key, or it is the active one
   */
  removeSigningKey(kid: string): Promise<void>
}

const readRotationOptions = object<RotationOptions>(
  { overlapSeconds: whole(0, 86_400, ' seconds') },
  'an object with overlapSeconds',
)

export function signingKeyOperations({ deployment }: Config): SigningKeyOperations {
  return {
    addSigningKey: async (key) => add(deployment, key),
    rotateSigningKey: (...given) => rotate(deployment, given),
    removeSigningKey: async (kid) => remove(deployment, kid),
  }
}

function add({ keyRing, emit }: Deployment, given: SigningKeyInput) {
  const faults = newFaults()
  const key = readSigningKey(given, 'key', faults)
  if (key !== undefined && keyRing.statusOf(key.kid) !== undefined)
    faults.add('key', 'a key that is not among the signing keys', 'one that is')
  const added = faultless(key, faults)
  keyRing.add(added)
  emit('signing_key.added', { kid: added.kid })
  return { kid: added.kid }
}

type RotationArguments = Parameters<SigningKeyOperations['rotateSigningKey']>

async function rotate(deployment: Deployment, given: RotationArguments): Promise<RotatedKey> {
  const { keyRing, emit } = deployment
  const [input, options = {}] = given
  const faults = newFaults()
  const { overlapSeconds = 0 } = readRotationOptions(options, 'options', faults)
  // `undefined` by mistake must not generate a key that no other process knows.
  const material = given.length === 0 ? await generateSigningKey(keyRing.active().alg) : input
  const next = readSigningKey(material, 'next', faults)
  if (next !== undefined) validateNext(deployment, next, faults)
  const active = faultless(next, faults) as ActiveKey
  const { kid: retiredKid, until } = keyRing.rotate(active, overlapSeconds)
  emit('signing_key.rotated', { kid: active.kid, retiredKid })
  return { kid: active.kid, retired: { kid: retiredKid, until: new Date(until * 1000) } }
}

function remove({ keyRing, emit }: Deployment, kid: string): void {
  const faults = newFaults()
  const status = typeof kid === 'string' ? keyRing.statusOf(kid) : undefined
  if (status === undefined) faults.reject('kid', 'the kid of a signing key', kid, describeSecret)
  if (status === 'active')
    faults.add('kid', 'a key that does not sign; rotate first', 'the kid of the active key')
  faults.throwIfAny()
  keyRing.remove(kid)
  emit('signing_key.removed', { kid })
}

function faultless<T>(read: T | undefined, faults: Faults): T {
  faults.throwIfAny()
  return read as T
}

function validateNext({ keyRing }: Deployment, next: SigningKey, faults: Faults): void {
  if (next.privateKey === undefined)
    faults.add('next', 'a private key, since it is going to sign', 'a public key')
  const status = keyRing.statusOf(next.kid)
  if (status === 'active') faults.add('next', 'another key than the active one', 'the active key')
  // A retired key may have leaked since, so it must not sign again.
  if (status === 'retired') faults.add('next', 'a key that has not been retired', 'a retired key')
  const alg = keyRing.find(next.kid)?.alg
  if (status === 'waiting' && alg !== next.alg)
    faults.add('next.alg', `${alg}, with which the key has been published`, next.alg)
}
