import { isObject } from '../../base/object.js'
import { basicAuth } from '../../base/secret.js'
import type { Claims } from '../../jose/jws.js'
import { type DecodedToken, decodeToken, newPair, type ProofPair } from '../../testing/forged-token.js'
import { CheckEnd, skipped } from '../check.js'
import type { Exchange, Outgoing } from './exchange.js'
import { grantedScopes } from './scopes.js'
import { DeploymentSession, type DeploymentSettings } from './session.js'

export const TOKEN_SCOPE = 'provision:token'

type Form = Readonly<Record<string, string>>

/** A key that the deployment has issued to the test client. */
export interface IssuedKey {
  readonly text: string
  readonly exchange: Exchange
  readonly scope: readonly string[]
  /** `undefined` if the key is no JWT. */
  readonly decoded: DecodedToken | undefined
  /** The private key that it is bound to. */
  readonly pair?: ProofPair | undefined
}

/** A device or client that the checks have made, with a public key of its own. */
export interface TestDevice {
  readonly clientId: string
  readonly pair: ProofPair
  /** The key that it was made with. */
  readonly key: IssuedKey
  /** The scopes that it may ask for. */
  readonly scope: string
  /** The request that reads its registration. */
  readonly registration?: Outgoing | undefined
  /** Lets the server delete it. Returns whether it can no longer authenticate. */
  remove(signal: AbortSignal): Promise<boolean>
}

/** Changes of a request for a key. */
export interface KeyRequest {
  readonly form?: Form
  readonly headers?: Outgoing['headers']
  /** Headers in place of those that authenticate the test client. */
  readonly credentials?: Outgoing['headers']
  /** Changes the rest of the request, before it gets a DPoP proof. */
  readonly change?: (outgoing: Outgoing) => Outgoing
  /** Binds the key to this key pair with DPoP. */
  readonly pair?: ProofPair | undefined
}

/** The deployment that is tested, as its metadata describe it, and the test client. */
export class DeploymentUnderTest extends DeploymentSession {
  metadata: Claims = {}
  jwks: readonly Claims[] = []
  /** The scopes that the checks ask for. */
  scope: string | undefined
  /** The key pair of all keys, if the policy refuses bearer keys. */
  #pair: ProofPair | undefined
  #sample: IssuedKey | undefined
  /** The genuine key that forgeries begin with. */
  victim: IssuedKey | undefined
  device: TestDevice | undefined
  registered: TestDevice | undefined
  /** The devices and clients that the server has not deleted yet. */
  readonly clients = new Set<TestDevice>()
  /** The access tokens that keys were redeemed for. */
  readonly accessTokens: string[] = []
  readonly #unused = new Set<string>()

  constructor(settings: DeploymentSettings) {
    super(settings)
    this.scope = settings.scope
  }

  /**
   * The URL of an endpoint, which may get credentials.
   *
   * @throws CheckEnd if the metadata do not have it, or if somebody on the way could read the request
   */
  endpoint(name: string): string {
    const url = this.metadata[name]
    if (typeof url !== 'string' || !URL.canParse(url))
      throw new CheckEnd(skipped(`the metadata have no ${name}`))
    const { protocol, origin } = new URL(url)
    if (protocol !== 'https:' && origin !== new URL(this.settings.issuer).origin)
      throw new CheckEnd(skipped(`the ${name} of the metadata has no TLS, so it gets no credentials`))
    return url
  }

  /** Whether the token endpoint has a grant. */
  supportsGrant(grant: string): boolean {
    const { grant_types_supported: grants } = this.metadata
    return Array.isArray(grants) && grants.includes(grant)
  }

  /** Sends a form to an endpoint, as the test client unless the headers say otherwise. */
  post(name: string, form: Form, signal: AbortSignal, headers: Outgoing['headers'] = this.credentials()) {
    return this.send(this.postOf(name, form, headers), signal)
  }

  /** The request that `post` sends. */
  postOf(name: string, form: Form, headers: Outgoing['headers'] = this.credentials()): Outgoing {
    const fields = Object.entries(form)
    const isInBody = headers === this.#inBody
    const { clientId, clientSecret } = this.settings
    const client: [string, string][] = isInBody
      ? [
          ['client_id', clientId],
          ['client_secret', clientSecret],
        ]
      : []
    return { method: 'POST', url: this.endpoint(name), headers, form: [...fields, ...client] }
  }

  /** The headers that authenticate the test client. */
  credentials(): NonNullable<Outgoing['headers']> {
    const { clientId, clientSecret } = this.settings
    const methods = this.metadata['token_endpoint_auth_methods_supported']
    const isBasic = !Array.isArray(methods) || methods.includes('client_secret_basic')
    if (!isBasic && methods.includes('client_secret_post')) return this.#inBody
    return { Authorization: basicAuth(clientId, clientSecret) }
  }

  /** Stands for credentials in the body. */
  readonly #inBody: NonNullable<Outgoing['headers']> = {}

  /** Asks for a key, and returns any answer. */
  async requestKey(request: KeyRequest, signal: AbortSignal): Promise<Exchange> {
    const { form, headers, credentials, change, pair = this.#pair } = request
    const { subject, audience } = this.settings
    const terms = {
      grant_type: 'client_credentials',
      ...(this.scope !== undefined && { scope: this.scope }),
      ...(subject !== undefined && { requested_subject: subject }),
      ...(audience !== undefined && { resource: audience }),
      ...form,
    }
    const ask = () => {
      const usual = this.postOf('token_endpoint', terms, credentials)
      const outgoing = change?.(usual) ?? usual
      const proof = pair && { DPoP: this.proof(pair, outgoing) }
      return this.send({ ...outgoing, headers: { ...outgoing.headers, ...proof, ...headers } }, signal)
    }
    const exchange = await ask()
    return exchange.json['error'] === 'use_dpop_nonce' ? ask() : exchange
  }

  /** Gets a key. @throws CheckEnd if the deployment does not issue one */
  async issue(request: KeyRequest, signal: AbortSignal): Promise<IssuedKey> {
    const exchange = await this.requestKey(request, signal)
    const key = this.keyIn(exchange, request.pair)
    if (key === undefined) throw new CheckEnd(this.failed(exchange, 'status 200 with an access_token'))
    return key
  }

  /** One key for all checks that only look at it. */
  async sample(signal: AbortSignal): Promise<IssuedKey> {
    this.#sample ??= await this.issue({}, signal)
    return this.#sample
  }

  /** The key in an answer, if there is one. It is revoked when all checks are done. */
  keyIn(exchange: Exchange, pair = this.#pair): IssuedKey | undefined {
    const { access_token: text } = exchange.json
    if (exchange.status !== 200 || typeof text !== 'string' || text === '') return undefined
    this.hide(text, '$KEY')
    this.#unused.add(text)
    return { text, exchange, scope: grantedScopes(exchange), decoded: decodeToken(text), pair }
  }

  /**
   * Gets the first key, and learns which scopes the client may have and whether keys must be bound.
   *
   * @throws CheckEnd
   */
  async issueFirst(signal: AbortSignal): Promise<Exchange> {
    const first = await this.requestKey({}, signal)
    if (first.status === 200 || this.scope !== undefined) return this.#issueBound(first, signal)
    if (first.json['error'] !== 'invalid_scope') return this.#issueBound(first, signal)
    const known = this.metadata['scopes_supported']
    const names: unknown[] = Array.isArray(known) ? known : []
    const others = names.filter((name) => !String(name).startsWith('provision:'))
    for (const scopes of [[...names.filter((name) => name === TOKEN_SCOPE), ...others], others]) {
      if (scopes.length === 0) continue
      this.scope = scopes.join(' ')
      const next = await this.requestKey({}, signal)
      if (next.json['error'] !== 'invalid_scope') return this.#issueBound(next, signal)
    }
    this.scope = undefined
    return first
  }

  /** If the policy refuses bearer keys, binds all keys of the run to one key pair. */
  async #issueBound(exchange: Exchange, signal: AbortSignal): Promise<Exchange> {
    const wantsProof = /dpop/i.test(`${exchange.json['error']} ${exchange.json['error_description']}`)
    if (exchange.status === 200 || !wantsProof) return exchange
    this.#pair = newPair()
    return this.requestKey({}, signal)
  }

  /** Introspects a token as the test client. */
  async introspect(token: string, signal: AbortSignal): Promise<Exchange> {
    const exchange = await this.post('introspection_endpoint', { token }, signal)
    requireSupport(exchange)
    return exchange
  }

  /** Says that a key needs no revocation. */
  isUsedUp(key: string): void {
    this.#unused.delete(key)
  }

  /** Notes another token that must be revoked at the end. */
  keep(token: string): void {
    this.hide(token, '$TOKEN')
    this.accessTokens.push(token)
    this.#unused.add(token)
  }

  /** Removes all devices and clients, and revokes all keys and tokens that are left. Returns how many could not be revoked. */
  async cleanUp(signal: AbortSignal): Promise<number> {
    for (const client of [...this.clients])
      if (await client.remove(signal).catch(() => false)) this.clients.delete(client)
    let left = 0
    for (const token of this.#unused) if (!(await this.#revoke(token, signal).catch(() => false))) left += 1
    this.#unused.clear()
    return left
  }

  /** Whether a token is revoked now. @throws CheckEnd if the metadata have no safe revocation_endpoint */
  async #revoke(token: string, signal: AbortSignal): Promise<boolean> {
    const { status } = await this.sendOnce(this.postOf('revocation_endpoint', { token }), signal)
    return status === 200
  }
}

/** @throws CheckEnd if an endpoint does not know tokens of this kind (RFC 7009 2.2.1) */
export function requireSupport({ json }: Exchange): void {
  if (json['error'] !== 'unsupported_token_type') return
  throw new CheckEnd(
    skipped('the introspection does not describe such keys; name a route with --protected-url'),
  )
}

/** Whether a value is a list of JWKs. */
export function isJwks(value: unknown): value is readonly Claims[] {
  return Array.isArray(value) && value.length > 0 && value.every(isObject)
}
