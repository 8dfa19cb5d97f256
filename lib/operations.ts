import { types } from 'node:util'
import { describe, describeSecret, type Faults, faults } from './base/faults.js'
import { isObject } from './base/object.js'
import { object, parse, required, text, whole } from './base/schema.js'
import { type BindingRef, bindingsOf, type RevokeBindingOutcome, revokeBinding } from './clients/bindings.js'
import type { ActiveKey, SigningKey } from './jose/key-ring.js'
import type { Config } from './options/options.js'
import { generateSigningKey, readSigningKey, type SigningKeyInput } from './options/signing-keys.js'
import type { Binding } from './ports/client.js'
import type { RevokeFamilyOutcome, RevokeIssuedOutcome, RevokeOutcome } from './ports/store.js'
import { revokeFamily } from './redemption/containment.js'
import { type DeleteOutcome, deleteClient } from './registration/deletion.js'
import { revokeIssuedBefore } from './tokens/issued-before.js'
import { revokeKey } from './tokens/revocation.js'

/** How a signing key is rotated. */
export interface RotationOptions {
  /**
   * For how long other processes may go on signing with the key that retires here, in seconds. Default 0, at most
   * 86,400.
   */
  readonly overlapSeconds?: number
}

/** What a rotation did. */
export interface RotatedKey {
  /** The key that signs now. */
  readonly kid: string
  /** The key that signed before, and until when it verifies and is published. */
  readonly retired: { readonly kid: string; readonly until: Date }
}

/** Whose keys are revoked. */
export interface RevokeAllOptions {
  /** Only the keys that this identity asked for, or that were asked for it. Default: everybody's. */
  readonly clientId?: string
}

/** Names an issued key, as events do. */
export interface IssuedKeyRef {
  /** The client that asked for the key. */
  readonly clientId: string
  /** The `jti` of the key. */
  readonly keyId: string
}

/** The operations while requests are served. Arguments are validated as strictly as options. */
export interface Operations {
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
  /**
   * Revokes every key issued up to a time, and the results of its redemption, on every process that shares the store.
   * Clocks may differ, so everything issued within the clock tolerance after that time is revoked too.
   *
   * @throws ConfigurationError when the time is invalid or in the future; ProvisioningError when the store does not
   *   answer: it is then unknown whether anything was revoked
   */
  revokeAllIssuedBefore(time: Date, options?: RevokeAllOptions): Promise<RevokeIssuedOutcome>
  /**
   * Revokes a key that has not been redeemed.
   *
   * @returns `redeemed` when it is too late; revoke the results with `revokeFamily`
   * @throws ConfigurationError when the key is not named; ProvisioningError when the store does not answer
   */
  revokeKey(key: IssuedKeyRef): Promise<RevokeOutcome>
  /**
   * Revokes the results of a redeemed key, as a replay does, but regardless of `policy.onReplay`: its access token, the
   * registered client, or the binding. The store knows them until the key and its access token have expired.
   *
   * @returns `unchanged` when nothing was left; `not_redeemed` when you must revoke the key itself with `revokeKey`
   * @throws ConfigurationError when it is not named; ProvisioningError when the store or the registry does not answer, or
   *   cannot save: call it again, access tokens may be revoked already
   */
  revokeFamily(family: IssuedKeyRef): Promise<RevokeFamilyOutcome>
  /**
   * Deletes a client. Its keys, tokens and bindings stop working. The same identity can be provisioned again after the
   * clock tolerance has passed.
   *
   * @throws ConfigurationError when it is not a client id; ProvisioningError when the store or the registry does not
   *   answer: call it again; until then the client is unchanged, or already has no access
   */
  deleteClient(clientId: string): Promise<DeleteOutcome>
  /** The keys and certificates that are bound to a client, the oldest first; none for a client that does not exist. */
  listBindings(clientId: string): Promise<readonly Binding[]>
  /**
   * Revokes a bound key. Its client can no longer authenticate with it. Without any bound key it cannot use one at all.
   *
   * @throws ConfigurationError when it is not named; ProvisioningError when the registry does not answer, or cannot
   *   save: the key then stays valid
   */
  revokeBinding(binding: BindingRef): Promise<RevokeBindingOutcome>
}

const id = required(text('an id', (given) => given !== ''))
const clientIdReader = text('the id of a client', (given) => given !== '')
const readIssuedKey = object<IssuedKeyRef>({ clientId: id, keyId: id })
const readBinding = object<BindingRef>({ clientId: id, bindingId: id })
const readRevokeAllOptions = object<RevokeAllOptions>({ clientId: clientIdReader }, 'an object with clientId')
const readRotationOptions = object<RotationOptions>(
  { overlapSeconds: whole(0, 86_400, ' seconds') },
  'an object with overlapSeconds',
)

export function operations(config: Config): Operations {
  const { deployment } = config
  const { keyRing, emit } = deployment

  return {
    async addSigningKey(given) {
      const noted = faults()
      const key = readSigningKey(given, 'key', noted)
      noted.throwIfAny()
      if (key !== undefined && keyRing.statusOf(key.kid) !== undefined)
        noted.add('key', 'a key that is not among the signing keys', 'one that is')
      const added = faultless(key, noted)
      keyRing.add(added)
      emit('signing_key.added', { kid: added.kid })
      return { kid: added.kid }
    },
    async rotateSigningKey(...given) {
      const [input, options] = given
      const noted = faults()
      const { overlapSeconds = 0 } =
        options === undefined ? {} : readRotationOptions(options, 'options', noted)
      // `undefined` by mistake must not generate a key that no other process knows.
      const { alg } = keyRing.active()
      const next = readSigningKey(given.length === 0 ? await generateSigningKey(alg) : input, 'next', noted)
      if (next !== undefined) validateNext(config, next, noted)
      const active = faultless(next, noted) as ActiveKey
      const { kid: retiredKid, until } = keyRing.rotate(active, overlapSeconds)
      emit('signing_key.rotated', { kid: active.kid, retiredKid })
      return { kid: active.kid, retired: { kid: retiredKid, until: new Date(until * 1000) } }
    },
    async removeSigningKey(kid) {
      const noted = faults()
      const status = typeof kid === 'string' ? keyRing.statusOf(kid) : undefined
      if (status === undefined) noted.reject('kid', 'the kid of a signing key', kid, describeSecret)
      if (status === 'active')
        noted.add('kid', 'a key that does not sign; rotate first', 'the kid of the active key')
      noted.throwIfAny()
      keyRing.remove(kid)
      emit('signing_key.removed', { kid })
    },
    async deleteClient(clientId) {
      return deleteClient(deployment, parse(clientIdReader, clientId, 'clientId'))
    },
    async revokeAllIssuedBefore(time, options) {
      return revokeIssuedBefore(deployment, readBound(config, time, options))
    },
    async listBindings(clientId) {
      return bindingsOf(deployment, parse(clientIdReader, clientId, 'clientId'))
    },
    async revokeBinding(binding) {
      return revokeBinding(deployment, parse(readBinding, binding, 'binding'))
    },
    async revokeKey(key) {
      const { clientId, keyId } = parse(readIssuedKey, key, 'key')
      return revokeKey(deployment, { clientId, jti: keyId })
    },
    async revokeFamily(family) {
      const { clientId, keyId } = parse(readIssuedKey, family, 'family')
      return revokeFamily(deployment, { clientId, jti: keyId })
    },
  }
}

function faultless<T>(read: T | undefined, noted: Faults): T {
  noted.throwIfAny()
  return read as T
}

function validateNext({ deployment: { keyRing } }: Config, next: SigningKey, noted: Faults): void {
  if (next.privateKey === undefined)
    noted.add('next', 'a private key, since it is going to sign', 'a public key')
  const status = keyRing.statusOf(next.kid)
  if (status === 'active') noted.add('next', 'another key than the active one', 'the active key')
  // A retired key may have leaked since, so it must not sign again.
  if (status === 'retired') noted.add('next', 'a key that has not been retired', 'a retired key')
  const alg = keyRing.find(next.kid)?.alg
  if (status === 'waiting' && alg !== next.alg)
    noted.add('next.alg', `${alg}, with which the key has been published`, next.alg)
}

/** An unreadable option must not mean all clients, or a time that covers nothing. */
function readBound({ deployment }: Config, time: unknown, options: unknown) {
  const noted = faults()
  const seconds = types.isDate(time) ? time.getTime() / 1000 : Number.NaN
  if (Number.isNaN(seconds)) {
    noted.add('time', 'a valid Date', types.isDate(time) ? 'an invalid Date' : describe(time))
  } else if (seconds > deployment.now() / 1000 + deployment.clockToleranceSeconds) {
    noted.add('time', 'a Date that is not in the future', (time as Date).toISOString())
  }
  const { clientId } = options === undefined ? {} : readRevokeAllOptions(options, 'options', noted)
  if (isObject(options) && 'clientId' in options && options.clientId === undefined)
    clientIdReader(undefined, 'options.clientId', noted)
  noted.throwIfAny()
  return { issuedBefore: Math.floor(seconds), ...(clientId !== undefined && { identity: clientId }) }
}
