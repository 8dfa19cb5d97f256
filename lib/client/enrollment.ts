import type { Connection } from './connection.js'
import { oneLine, ProvisionError } from './failure.js'
import type { Issuer } from './issuer.js'
import { type KeyDemand, obtainKey } from './key-supply.js'
import type { Settings } from './options.js'
import { Patience } from './patience.js'
import { readProvisioningKey } from './provisioning-key.js'
import { confirm, findResult, leavesKey, newAttempt, redeem } from './redemption.js'
import { hasOtherPair, signerFor } from './saved-key-pair.js'
import { newPrivateKey, type Signer, signerOf, thumbprintOf } from './signer.js'
import {
  type Attempt,
  clearState,
  type Loaded,
  loadState,
  type Result,
  requireSavable,
  type SavedKeyPair,
  type State,
  type StateStorage,
  saveState,
} from './state.js'

/** One device, and what all its calls share. */
export interface Device {
  readonly settings: Settings
  readonly storage: StateStorage
  readonly connection: Connection
  /** Finds the issuer, once. */
  issuer(patience: Patience): Promise<Issuer>
}

/** A renewal must not keep a device from starting, whose key still works. */
const RENEWAL_SECONDS = 20
/** Each of these rounds means that another process has changed the state in the meantime. */
const MOST_ROUNDS = 20

/**
 * Brings a device to its result: the saved one, or that of an attempt that was interrupted, or that of a new attempt.
 *
 * An attempt is saved before it is sent. So a crash at any moment leaves a state with which the next call goes on: the
 * issuer gives the same answer to the same request of the same key pair.
 */
export class Enrollment {
  readonly #device: Device
  readonly #patience: Patience
  #renewalError: unknown

  constructor(device: Device, patience: Patience) {
    this.#device = device
    this.#patience = patience
  }

  /** Why a renewal that was due has failed. */
  get renewalError(): unknown {
    return this.#renewalError
  }

  /** @throws ProvisionError */
  async result(): Promise<Result> {
    const { storage, settings } = this.#device
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const result = await this.#advance(await loadState(storage, settings))
      if (result !== undefined) return result
    }
    const message = 'The state could not be saved: other processes keep changing it. Let one process use it.'
    throw new ProvisionError('state_not_saved', message)
  }

  /** One round. Resolves with `undefined` if another process has changed the state in the meantime. */
  async #advance(loaded: Loaded): Promise<Result | undefined> {
    const { connection } = this.#device
    const { result, attempt } = loaded.state ?? {}
    // A damaged private key must not be found only when somebody needs it.
    for (const pair of [attempt, result]) if (pair !== undefined) await this.#signer(pair)
    if (attempt !== undefined && result === undefined) return this.#resume(loaded, attempt)
    if (result?.confirmBy !== undefined) return this.#confirm(loaded, result)
    if (result === undefined || this.#hasEnded(result)) return this.#begin(loaded)
    if (attempt !== undefined || this.#isDue(result)) return this.#renew(loaded, result)
    connection.notify({ type: 'state.found', clientId: result.clientId })
    return result
  }

  #hasEnded(result: Result): boolean {
    return hasEnded(result, this.#device.connection.clock.seconds)
  }

  /** Whether a binding is old enough to be renewed. With a negative age, the clock is wrong, and the issuer is asked. */
  #isDue({ completedAt }: Result): boolean {
    const { settings, connection } = this.#device
    const { renewAfterSeconds } = settings
    const age = connection.clock.seconds - completedAt
    return renewAfterSeconds !== undefined && (age < 0 || age >= renewAfterSeconds)
  }

  /** Binds another key pair. If this fails, the device keeps the one that it has. */
  async #renew(loaded: Loaded, old: Result): Promise<Result | undefined> {
    const { settings, connection } = this.#device
    const deadlineSeconds = Math.min(RENEWAL_SECONDS, settings.deadlineSeconds)
    const patience = new Patience({ deadlineSeconds, signal: settings.signal, notify: connection.notify })
    const renewal = new Enrollment(this.#device, patience)
    const attempt = loaded.state?.attempt
    try {
      const result = await (attempt === undefined ? renewal.#begin(loaded) : renewal.#resume(loaded, attempt))
      if (result !== undefined && result.thumbprint !== old.thumbprint)
        connection.notify({ type: 'binding.renewed', clientId: result.clientId })
      return result
    } catch (error) {
      settings.signal?.throwIfAborted()
      if (await hasOtherPair(this.#device, old, error)) return undefined
      connection.notify({ type: 'renewal.failed', reason: oneLine(error) })
      this.#renewalError = error
      return old
    }
  }

  /** Makes an attempt, saves it, and sends it. */
  async #begin(loaded: Loaded, refused?: KeyDemand['refused']): Promise<Result | undefined> {
    const { settings, connection } = this.#device
    const patience = this.#patience
    const issuer = await this.#device.issuer(patience)
    const result = loaded.state?.result
    // By the clock of the issuer, which is known only now, the result may still be good.
    const isGood = result !== undefined && result.confirmBy === undefined && !this.#hasEnded(result)
    if (isGood && !this.#isDue(result)) return result
    await requireSavable(this.#device.storage)
    const { signer, pair } = await this.#newPair()
    // A binding stays in use until it is renewed. An access token that has ended does not.
    const old = settings.action === 'bind' && result?.confirmBy === undefined ? result : undefined
    const self = old && { clientId: old.clientId, signer: await this.#signer(old) }
    const redeemedKeyId = result?.keyId
    const key = await obtainKey(settings, { issuer, patience, signer, self, redeemedKeyId, refused })
    connection.notify({
      type: 'key.received',
      keyId: key.keyId,
      expiresInSeconds: key.expiresAt - issuer.now,
    })
    const attempt = newAttempt(issuer, settings, { key, pair, signer })
    const saved = await this.#save({ attempt, ...(old && { result: old }) }, loaded)
    return saved && this.#send(saved, attempt)
  }

  /** Sends a saved attempt again. If its key is of no use any more, begins with a new key. */
  async #resume(loaded: Loaded, attempt: Attempt): Promise<Result | undefined> {
    const { keyId } = readProvisioningKey(attempt.key)
    this.#device.connection.notify({ type: 'attempt.resumed', keyId })
    try {
      return await this.#send(loaded, attempt, true)
    } catch (error) {
      if (!isRefusal(error)) throw error
      const now = await loadState(this.#device.storage, this.#device.settings)
      const isOfOther = now.state?.attempt !== undefined && now.text !== loaded.text
      return isOfOther ? undefined : this.#begin(now, leavesKey(error) ? undefined : { keyId, error })
    }
  }

  async #send(loaded: Loaded, attempt: Attempt, isResumed = false): Promise<Result | undefined> {
    const { settings, connection } = this.#device
    const patience = this.#patience
    const issuer = await this.#device.issuer(patience)
    const sending = { attempt, signer: await this.#signer(attempt), patience }
    let result: Result | undefined
    try {
      result = await redeem(issuer, settings, sending)
      connection.notify({ type: 'key.redeemed', keyId: result.keyId, clientId: result.clientId })
    } catch (error) {
      if (!isRefusal(error)) throw error
      const { action } = settings
      const isUncertain = action !== 'token' && (isResumed || patience.hasFailed)
      result = isUncertain ? await findResult(issuer, action, sending) : undefined
      if (result === undefined) {
        if (await this.#drop(loaded, error)) throw error
        return undefined
      }
      const type = action === 'bind' ? 'binding.recovered' : 'registration.recovered'
      connection.notify({ type, clientId: result.clientId })
    }
    return this.#complete(loaded, result)
  }

  /** Saves a result, and confirms it if it has a deadline. */
  async #complete(loaded: Loaded, result: Result): Promise<Result | undefined> {
    const isUnconfirmed = result.confirmBy !== undefined
    // A renewal keeps the old key pair and the attempt until the new key pair is confirmed.
    const isRenewal = isUnconfirmed && loaded.state?.result !== undefined
    const saved = isRenewal ? loaded : await this.#save({ result }, loaded)
    return saved && (isUnconfirmed ? this.#confirm(saved, result) : result)
  }

  /** Confirms a result. If the issuer has undone it, begins with a new key, or keeps the old key pair. */
  async #confirm(loaded: Loaded, unconfirmed: Result): Promise<Result | undefined> {
    const patience = this.#patience
    const issuer = await this.#device.issuer(patience)
    const { confirmBy: _, ...result } = unconfirmed
    try {
      await confirm(issuer, result, { signer: await this.#signer(result), patience })
    } catch (error) {
      if (!(error instanceof ProvisionError) || error.code !== 'enrollment_undone') throw error
      const old = loaded.state?.result
      if (old?.confirmBy !== undefined) return this.#begin(loaded, { keyId: result.keyId, error })
      if (old !== undefined) await this.#save({ result: old }, loaded)
      throw error
    }
    this.#device.connection.notify({ type: 'enrollment.confirmed', clientId: result.clientId })
    return (await this.#save({ result }, loaded)) && result
  }

  /**
   * Forgets a refused attempt if nothing can come of it, and if the device does not need it to know its key. Resolves with
   * `false` if another process has changed the state in the meantime.
   */
  async #drop(loaded: Loaded, error: ProvisionError): Promise<boolean> {
    const result = loaded.state?.result
    if (result !== undefined) return (await this.#save({ result }, loaded)) !== undefined
    return !leavesKey(error) || clearState(this.#device.storage, loaded.text)
  }

  async #save(state: Pick<State, 'result' | 'attempt'>, { text }: Loaded): Promise<Loaded | undefined> {
    const { settings, storage, connection } = this.#device
    const { issuer, action } = settings
    const saved = await saveState(storage, { issuer, action, ...state }, text)
    const has = state.attempt === undefined ? 'result' : 'attempt'
    if (saved !== undefined) connection.notify({ type: 'state.saved', has })
    return saved
  }

  async #newPair(): Promise<{ readonly signer: Signer; readonly pair: SavedKeyPair }> {
    const { signer } = this.#device.settings
    if (signer !== undefined) return { signer, pair: { thumbprint: await thumbprintOf(signer) } }
    const privateKey = await newPrivateKey()
    const made = await signerOf(privateKey)
    return { signer: made, pair: { privateKey, thumbprint: await thumbprintOf(made) } }
  }

  #signer(pair: SavedKeyPair): Promise<Signer> {
    return signerFor(this.#device.settings, pair)
  }
}

/** Whether the access token of a result has ended. */
export function hasEnded({ expiresAt }: Result, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now
}

function isRefusal(error: unknown): error is ProvisionError {
  return error instanceof ProvisionError && error.code === 'refused'
}
