import { ASSERTION_TYPE } from '../base/oauth-names.js'
import { basicAuth } from '../base/secret.js'
import { clientAssertion } from '../client/assertions.js'
import type { Signer } from '../client/signer.js'
import type { TestClock } from './clock.js'
import type { TestDpopKey } from './dpop-key.js'
import { inCleartext, membersOf, overHttps, send, type TestAnswer, type TestApp } from './over-https.js'

/**
 * A client of the app under test, and its secret or its private key.
 *
 * @example
 * const client: TestClient = { clientId: 'fleet', clientSecret: 'the-secret-of-the-tests-1' }
 */
export type TestClient =
  | { readonly clientId: string; readonly clientSecret: string }
  | { readonly clientId: string; readonly signer: Signer }

/** The endpoints of the app, as its metadata name them. */
interface Endpoints {
  readonly issuer: string
  readonly token: string
  readonly revocation: string | undefined
  readonly jwks: string | undefined
  readonly scopes: readonly string[]
}

/** What a test asks the token endpoint for. */
export type TokenForm = Readonly<Record<string, string | undefined>>

/** Asks the app under test for keys and tokens, as its client does in production. */
export class TestIssuance {
  readonly #app: TestApp
  readonly #client: TestClient
  readonly #issuer: string | undefined
  readonly #now: TestClock['now']
  #endpoints: Promise<Endpoints> | undefined

  constructor(
    app: TestApp,
    client: TestClient,
    options: { issuer: string | undefined; now: TestClock['now'] },
  ) {
    this.#app = overHttps(inCleartext(app))
    this.#client = client
    this.#issuer = options.issuer
    this.#now = options.now
  }

  /** @throws Error if the app has no metadata */
  endpoints(): Promise<Endpoints> {
    this.#endpoints ??= this.#discover()
    return this.#endpoints
  }

  /** Sends a form to the token endpoint. Answers with the `access_token` (a key, or an access token). */
  async token(form: TokenForm, dpop: TestDpopKey | undefined, authenticates = true): Promise<string> {
    const { issuer, token: url } = await this.endpoints()
    const ask = async (nonce?: string) => {
      const proof = dpop && (await dpop.proof({ method: 'POST', url, nonce }))
      const headers: Record<string, string> = proof === undefined ? {} : { DPoP: proof }
      return this.#post(url, form, { headers, issuer, authenticates })
    }
    const first = await ask()
    const nonce = first.headers['dpop-nonce']
    const isNonceWanted = membersOf(first)['error'] === 'use_dpop_nonce' && typeof nonce === 'string'
    const answer = isNonceWanted ? await ask(nonce) : first
    const { access_token: token } = membersOf(answer)
    if (answer.status === 200 && typeof token === 'string') return token
    throw new Error(`The app issued nothing: ${refusalIn(answer)}`)
  }

  async revoke(token: string): Promise<void> {
    const { issuer, revocation } = await this.endpoints()
    if (revocation === undefined)
      throw new Error('The app has no endpoint for revocation: mount keys.router() or keys.revocation().')
    const answer = await this.#post(revocation, { token }, { headers: {}, issuer, authenticates: true })
    if (answer.status !== 200) throw new Error(`The app revoked nothing: ${refusalIn(answer)}`)
  }

  /** The public signing keys. */
  async jwks(): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const { jwks } = await this.endpoints()
    if (jwks === undefined) return []
    const { keys } = membersOf(await send(this.#app, { method: 'GET', path: pathOf(jwks) }))
    return Array.isArray(keys) ? keys : []
  }

  async #post(
    url: string,
    form: TokenForm,
    { headers, issuer, authenticates }: { headers: object; issuer: string; authenticates: boolean },
  ): Promise<TestAnswer> {
    const credentials = authenticates ? await this.#authenticate(issuer) : { headers: {}, form: {} }
    const given = Object.entries({ ...form, ...credentials.form }).filter(
      (pair): pair is [string, string] => pair[1] !== undefined,
    )
    const type = { 'Content-Type': 'application/x-www-form-urlencoded' }
    return send(this.#app, {
      method: 'POST',
      path: pathOf(url),
      headers: { ...type, ...headers, ...credentials.headers },
      body: new URLSearchParams(given).toString(),
    })
  }

  async #authenticate(issuer: string): Promise<{ headers: Record<string, string>; form: TokenForm }> {
    const client = this.#client
    if ('signer' in client) {
      const { clientId, signer } = client
      const now = Math.floor(this.#now() / 1000)
      const assertion = await clientAssertion(signer, { clientId, issuer, now })
      return { headers: {}, form: { client_assertion: assertion, client_assertion_type: ASSERTION_TYPE } }
    }
    return { headers: { Authorization: basicAuth(client.clientId, client.clientSecret) }, form: {} }
  }

  async #discover(): Promise<Endpoints> {
    const suffix = this.#issuer === undefined ? '' : new URL(this.#issuer).pathname.replace(/\/$/, '')
    const path = `/.well-known/oauth-authorization-server${suffix}`
    const answer = await send(this.#app, { method: 'GET', path })
    const metadata = membersOf(answer)
    const url = (name: string) => (typeof metadata[name] === 'string' ? metadata[name] : undefined)
    const [issuer, token] = [url('issuer'), url('token_endpoint')]
    if (issuer === undefined || token === undefined) {
      const advice =
        'mount keys.router() in the app. If the issuer has a path, also give `issuer` to testKit().'
      throw new Error(`The app has no metadata at ${path} (status ${answer.status}): ${advice}`)
    }
    const { scopes_supported: scopes } = metadata
    return {
      issuer,
      token,
      revocation: url('revocation_endpoint'),
      jwks: url('jwks_uri'),
      scopes: Array.isArray(scopes) ? scopes : [],
    }
  }
}

function pathOf(url: string): string {
  const { pathname, search } = new URL(url)
  return pathname + search
}

/** The refusal in an answer. It contains no key, because the refusals of this library never do. */
export function refusalIn(answer: TestAnswer): string {
  const { error, error_description: description } = membersOf(answer)
  const words = [answer.status, error, description].filter((word) => /^(string|number)$/.test(typeof word))
  return `${words.join(' ')}${answer.status === 429 ? '. Set rateLimit: false in the options of your tests' : ''}`
}
