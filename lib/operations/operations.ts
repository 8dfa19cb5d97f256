import { types } from 'node:util'
import { describe, newFaults } from '../base/faults.js'
import { isObject } from '../base/object.js'
import { object, parse, required, text } from '../base/schema.js'
import { type BindingRef, bindingsOf, type RevokeBindingOutcome, revokeBinding } from '../clients/bindings.js'
import type { Config } from '../options/options.js'
import type { Binding } from '../ports/client.js'
import type { RevokeFamilyOutcome, RevokeIssuedOutcome, RevokeOutcome } from '../ports/store.js'
import { revokeFamily } from '../redemption/containment.js'
import { revokeKey } from '../redemption/revocation.js'
import { type DeleteOutcome, deleteClient } from '../registration/deletion.js'
import { revokeIssuedBefore } from '../tokens/issued-before.js'
import { type MonitoringOperations, monitoringOperations } from './monitoring-operations.js'
import { type SigningKeyOperations, signingKeyOperations } from './signing-keys.js'

/**
 * The keys to revoke.
 *
 * @example
 * const onlyOne: RevokeAllOptions = { clientId: 'runner-7' }
 * await keys.revokeAllIssuedBefore(new Date(), onlyOne)
 */
export interface RevokeAllOptions {
  /**
   * Only the keys that this identity asked for, or that were asked for it. Default: everybody's.
   * @example 'runner-7'
   */
  readonly clientId?: string
}

/**
 * Names an issued key, as events do.
 *
 * @example
 * keys.on('key.replayed', async ({ clientId, keyId }) => {
 *   const key: IssuedKeyRef = { clientId, keyId }
 *   console.log(await keys.revokeFamily(key))
 * })
 */
export interface IssuedKeyRef {
  /**
   * The client that asked for the key.
   * @example 'ci-runner'
   */
  readonly clientId: string
  /**
   * The `jti` of the key.
   * @example '5kqV1N0xQ2e0mZ7uWb3c4A'
   */
  readonly keyId: string
}

/**
 * The operations while requests are served. Arguments are validated as strictly as options.
 *
 * @example
 * // A device was stolen: delete its client, and revoke everything that was issued for it.
 * export async function forget(operations: Operations, clientId: string) {
 *   await operations.deleteClient(clientId)
 * }
 */
export interface Operations extends SigningKeyOperations, MonitoringOperations {
  /**
   * Revokes every key issued up to a time, and its access token, on every process that shares the store. Bindings and
   * registrations stay. Clocks may differ, so everything issued within the clock tolerance after that time is revoked
   * too.
   *
   * @throws ConfigurationError when the time is invalid or in the future; ProvisioningError when the store is
   *   full, or does not answer: in the latter case it is unknown whether anything was revoked
   */
  revokeAllIssuedBefore(time: Date, options?: RevokeAllOptions): Promise<Exclude<RevokeIssuedOutcome, 'full'>>
  /**
   * Revokes a key that has not been redeemed, and what an interrupted redemption has bound or registered.
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
const readIssuedKey = object<IssuedKeyRef>({ clientId: id, keyId: id }, 'an object { clientId, keyId }')
const readBinding = object<BindingRef>({ clientId: id, bindingId: id }, 'an object { clientId, bindingId }')
const readRevokeAllOptions = object<RevokeAllOptions>({ clientId: clientIdReader }, 'an object with clientId')

export function operations(config: Config): Operations {
  const { deployment } = config
  return {
    ...signingKeyOperations(config),
    ...monitoringOperations(deployment),
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

/** An unreadable option must not mean all clients, or a time that covers nothing. */
function readBound({ deployment }: Config, time: unknown, options: unknown) {
  const faults = newFaults()
  const seconds = types.isDate(time) ? time.getTime() / 1000 : Number.NaN
  if (Number.isNaN(seconds)) {
    faults.add('time', 'a valid Date', types.isDate(time) ? 'an invalid Date' : describe(time))
  } else if (seconds > deployment.now() / 1000 + deployment.clockToleranceSeconds) {
    faults.add('time', 'a Date that is not in the future', (time as Date).toISOString())
  }
  const { clientId } = options === undefined ? {} : readRevokeAllOptions(options, 'options', faults)
  if (isObject(options) && 'clientId' in options && options.clientId === undefined)
    clientIdReader(undefined, 'options.clientId', faults)
  faults.throwIfAny()
  return { issuedBefore: Math.floor(seconds), ...(clientId !== undefined && { identity: clientId }) }
}
