import { type Device, Enrollment, hasEnded } from './enrollment.js'
import { ProvisionError } from './failure.js'
import type { Authentication } from './issuer.js'
import { requestOwnKey } from './key-supply.js'
import { Patience } from './patience.js'
import { endOf, exchangeForm } from './redemption.js'
import { hasOtherPair, signerFor } from './saved-key-pair.js'
import type { Signer } from './signer.js'
import type { Result } from './state.js'

/** An access token, and the signer that its DPoP proofs need. */
export interface BoundToken {
  readonly token: string
  readonly signer: Signer
}

/** A token is replaced this long before its end. */
const EARLY_SECONDS = 10

/** The access tokens of a device. It gets a new one when the last one ends. Several calls at a time get the same one. */
export class AccessTokens {
  readonly #device: Device
  #result: Result
  #current: { readonly token: string; readonly expiresAt: number | undefined } | undefined
  #pending: Promise<BoundToken> | undefined

  constructor(device: Device, result: Result) {
    this.#device = device
    this.#result = result
  }

  /**
   * @param refused a token that an API has refused
   * @throws ProvisionError
   */
  async get(refused?: string): Promise<BoundToken> {
    // The others may have asked before the refusal, and then get the refused token.
    while (this.#pending !== undefined) {
      const shared = await this.#pending
      if (shared.token !== refused) return shared
    }
    this.#pending = this.#next(refused).finally(() => {
      this.#pending = undefined
    })
    return this.#pending
  }

  async #next(refused: string | undefined): Promise<BoundToken> {
    const { settings, connection } = this.#device
    const { deadlineSeconds, signal } = settings
    const patience = () => new Patience({ deadlineSeconds, signal, notify: connection.notify })
    if (settings.action === 'token') return this.#provisioned(refused, patience())
    const signer = await signerFor(settings, this.#result)
    const now = connection.clock.seconds + EARLY_SECONDS
    const isGood = this.#current !== undefined && this.#current.token !== refused
    const { token, expiresAt } = this.#current ?? { token: '', expiresAt: undefined }
    if (isGood && (expiresAt === undefined || expiresAt > now)) return { token, signer }
    const shared = patience()
    try {
      return { token: await this.#exchange(signer, shared), signer }
    } catch (error) {
      if (!(await this.#hasNewPair(error, shared))) throw error
      const newest = await signerFor(settings, this.#result)
      return { token: await this.#exchange(newest, shared), signer: newest }
    }
  }

  /** Whether a refused device has another key pair now, which the next request can use. */
  async #hasNewPair(error: unknown, patience: Patience): Promise<boolean> {
    if (!(await hasOtherPair(this.#device, this.#result, error))) return false
    const { keyId } = this.#result
    this.#result = await new Enrollment(this.#device, patience).result()
    this.#current = undefined
    return this.#result.keyId !== keyId
  }

  /** The token that the key was redeemed for. When it ends, the device is provisioned again. */
  async #provisioned(refused: string | undefined, patience: Patience): Promise<BoundToken> {
    if (hasEnded(this.#result, this.#device.connection.clock.seconds))
      this.#result = await new Enrollment(this.#device, patience).result()
    const token = String(JSON.parse(this.#result.answer).access_token)
    if (token !== refused) return { token, signer: await signerFor(this.#device.settings, this.#result) }
    const message =
      'The API refused the access token, although it has not ended. Delete the state and get a new key.'
    throw new ProvisionError('refused', message, { status: 401, oauthError: 'invalid_token' })
  }

  /** Gets a key as the device itself, and exchanges it. */
  async #exchange(signer: Signer, patience: Patience): Promise<string> {
    const { settings } = this.#device
    const { scope, resource } = settings
    if (scope === undefined)
      throw new ProvisionError(
        'refused',
        'fetch() needs an access token: pass the option scope with its scopes.',
      )
    const issuer = await this.#device.issuer(patience)
    const authentication = authenticationOf(this.#result, signer)
    const terms = { scope: `provision:token ${scope}`, resource }
    const key = await requestOwnKey(settings, authentication, { ...terms, issuer, signer, patience })
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
    const url = issuer.endpoint('token_endpoint')
    const response = await issuer.post({ url, headers, body: exchangeForm(key, settings), signer }, patience)
    const { access_token: token, expires_in: seconds } = await issuer.readToken(
      response,
      this.#result.clientId,
    )
    this.#current = { token, expiresAt: endOf(token, seconds, issuer.now) }
    return token
  }
}

/** How a bound or a registered client authenticates. */
function authenticationOf({ clientId, answer }: Result, signer: Signer): Authentication {
  const { client_secret: secret, token_endpoint_auth_method: method } = JSON.parse(answer)
  if (typeof secret !== 'string') return { clientId, signer }
  return { clientId, secret, inBody: method === 'client_secret_post' }
}
