import { ASSERTION_TYPE } from '../base/oauth-names.js'
import { parseObject } from '../base/object.js'
import { clientAssertion } from './assertions.js'
import { type Connection, invalidAnswer, type OutgoingRequest, sendToIssuer } from './connection.js'
import { oneLine, ProvisionError } from './failure.js'
import { isProtected } from './options.js'
import type { Patience } from './patience.js'
import { type ProvisioningKey, readProvisioningKey } from './provisioning-key.js'
import { type Signer, thumbprintOf } from './signer.js'

// The package is an ES module only, and `require()` of one does not work on Node 20.
const loadOAuth = () => import('oauth4webapi')
type OAuth = Awaited<ReturnType<typeof loadOAuth>>
type Metadata = Awaited<ReturnType<OAuth['processDiscoveryResponse']>>
type ClientAuthentication = Parameters<OAuth['clientCredentialsGrantRequest']>[2]
type OAuthOptions = NonNullable<Parameters<OAuth['clientCredentialsGrantRequest']>[4]> &
  NonNullable<Parameters<OAuth['discoveryRequest']>[1]>

/** The endpoints that the client uses, by their names in the metadata. */
type EndpointName =
  | 'token_endpoint'
  | 'registration_endpoint'
  | 'provisioning_binding_endpoint'
  | 'provisioning_bindings_endpoint'

/** How a client authenticates. */
export type Authentication =
  | { readonly clientId: string; readonly signer: Signer }
  | { readonly clientId: string; readonly secret: string; readonly inBody?: boolean }

/** What a client asks a key for. */
export interface KeyRequest {
  readonly scope: string
  readonly subject?: string | undefined
  readonly resource?: string | undefined
}

/** An issuer whose metadata are known. It sends each request until the issuer answers. */
export class Issuer {
  readonly #connection: Connection
  readonly #oauth: OAuth
  readonly #metadata: Metadata

  private constructor(connection: Connection, oauth: OAuth, metadata: Metadata) {
    this.#connection = connection
    this.#oauth = oauth
    this.#metadata = metadata
  }

  /**
   * Reads the metadata (RFC 8414). Their issuer must be the expected one, so that no server can pass for another.
   *
   * @throws ProvisionError
   */
  static async discover(connection: Connection, issuer: string, patience: Patience): Promise<Issuer> {
    const oauth = await loadOAuth()
    const url = new URL(issuer)
    return patience.untilAnswered(issuer, async (signal) => {
      const options = { algorithm: 'oauth2', ...optionsFor(oauth, connection, { signal }) } as const
      const response = await oauth.discoveryRequest(url, options)
      await requireSameIssuer(url, response)
      const metadata = await checked(issuer, () => oauth.processDiscoveryResponse(url, response))
      return new Issuer(connection, oauth, metadata)
    })
  }

  /** The issuer identifier, as the metadata spell it. */
  get identifier(): string {
    return this.#metadata.issuer
  }

  /** The NumericDate of now, by the clock of the issuer. */
  get now(): number {
    return this.#connection.clock.seconds
  }

  /** @throws ProvisionError `issuer_invalid` */
  endpoint(name: EndpointName): string {
    const url = this.#metadata[name]
    if (typeof url !== 'string' || !URL.canParse(url) || !isProtected(url))
      throw invalidAnswer(this.identifier, `with metadata that have no https URL as ${name}`)
    return url
  }

  /** Asks for a provisioning key that is bound to the key of the signer. */
  async requestKey(
    authentication: Authentication,
    { signer, patience, ...terms }: KeyRequest & { readonly signer: Signer; readonly patience: Patience },
  ): Promise<ProvisioningKey> {
    const url = this.endpoint('token_endpoint')
    const client = { client_id: authentication.clientId }
    const parameters = new URLSearchParams({ scope: terms.scope })
    if (terms.subject !== undefined) parameters.set('requested_subject', terms.subject)
    if (terms.resource !== undefined) parameters.set('resource', terms.resource)
    const answer = await patience.untilAnswered(url, async (signal) => {
      const response = await this.#oauth.clientCredentialsGrantRequest(
        this.#metadata,
        client,
        this.#authenticator(authentication),
        parameters,
        optionsFor(this.#oauth, this.#connection, { signal, signer }),
      )
      return checked(url, () =>
        this.#oauth.processClientCredentialsResponse(this.#metadata, client, response),
      )
    })
    const key = readIssuedKey(answer.access_token, url)
    if (key.jkt !== (await thumbprintOf(signer)))
      throw invalidAnswer(url, 'with a key that is not bound to the DPoP key of the request')
    return key
  }

  /** Sends a request with a DPoP proof. */
  post(request: Omit<OutgoingRequest, 'method' | 'signal'>, patience: Patience): Promise<Response> {
    return patience.untilAnswered(request.url, (signal) =>
      sendToIssuer(this.#connection, { ...request, method: 'POST', signal }),
    )
  }

  /** Sends a form as an authenticated client. */
  postAs(authentication: Authentication, name: EndpointName, patience: Patience): Promise<Response> {
    const url = this.endpoint(name)
    return patience.untilAnswered(url, async (signal) => {
      const headers = new Headers({ 'Content-Type': 'application/x-www-form-urlencoded' })
      const body = new URLSearchParams()
      const client = { client_id: authentication.clientId }
      await this.#authenticator(authentication)(this.#metadata, client, body, headers)
      const request = {
        url,
        method: 'POST',
        headers: Object.fromEntries(headers),
        body: String(body),
        signal,
      }
      return sendToIssuer(this.#connection, request)
    })
  }

  /** Reads a URL with a Bearer token. */
  readWith(token: string, url: string, patience: Patience): Promise<Response> {
    if (!URL.canParse(url) || !isProtected(url))
      throw invalidAnswer(this.identifier, 'with a registration_client_uri that is no https URL')
    const headers = { Authorization: `Bearer ${token}` }
    return patience.untilAnswered(url, (signal) =>
      sendToIssuer(this.#connection, { url, method: 'GET', headers, signal }),
    )
  }

  /** Checks the answer of an exchange (RFC 8693 2.2.1), whose token must be bound with DPoP. */
  async readToken(
    response: Response,
    clientId: string,
  ): Promise<{ access_token: string; expires_in?: number }> {
    const url = this.endpoint('token_endpoint')
    const client = { client_id: clientId }
    const readAnswer = this.#oauth.processGenericTokenEndpointResponse
    const answer = await checked(url, () => readAnswer(this.#metadata, client, response))
    if (answer.token_type !== 'dpop')
      throw invalidAnswer(url, 'with an access token that is not bound with DPoP')
    return answer
  }

  /** Checks the answer of a registration (RFC 7591 3.2.1). */
  async readRegistration(response: Response): Promise<{ client_id: string; [member: string]: unknown }> {
    const readAnswer = this.#oauth.processDynamicClientRegistrationResponse
    return checked(this.endpoint('registration_endpoint'), () => readAnswer(response))
  }

  #authenticator(authentication: Authentication): ClientAuthentication {
    const { clientId } = authentication
    if ('secret' in authentication) {
      const { ClientSecretBasic, ClientSecretPost } = this.#oauth
      return (authentication.inBody ? ClientSecretPost : ClientSecretBasic)(authentication.secret)
    }
    return async ({ issuer }, _client, body) => {
      const names = { clientId, issuer, now: this.now }
      body.set('client_assertion_type', ASSERTION_TYPE)
      body.set('client_assertion', await clientAssertion(authentication.signer, names))
    }
  }
}

/** Lets oauth4webapi send its requests in the way of this client. */
function optionsFor(
  { customFetch, allowInsecureRequests }: OAuth,
  connection: Connection,
  { signal, signer }: { readonly signal: AbortSignal; readonly signer?: Signer },
): OAuthOptions {
  const send = (url: string, init: { method: string; headers: Record<string, string>; body?: unknown }) => {
    const { method, headers } = init
    const body = init.body === undefined || init.body === null ? undefined : String(init.body)
    return sendToIssuer(connection, { url, method, headers, body, signal, signer })
  }
  // Each URL is checked by isProtected(), which lets only requests to this machine do without TLS.
  return { [customFetch]: send as never, [allowInsecureRequests]: true }
}

/** A URL that only looks like the issuer is a common mistake, so the error names both. */
async function requireSameIssuer(url: URL, response: Response): Promise<void> {
  const named = parseObject(await response.clone().text())?.['issuer']
  if (typeof named !== 'string' || !URL.canParse(named) || new URL(named).href === url.href) return
  const what = `with the metadata of another issuer: ${oneLine(named).slice(0, 200)}`
  throw invalidAnswer(url.href, `${what}. Pass the URL of your issuer exactly as in its metadata`)
}

function readIssuedKey(text: string, url: string): ProvisioningKey {
  try {
    return readProvisioningKey(text)
  } catch {
    throw invalidAnswer(url, 'with another token than a provisioning key')
  }
}

/** Runs a check of oauth4webapi. */
async function checked<T>(url: string, check: () => Promise<T>): Promise<T> {
  try {
    return await check()
  } catch (cause) {
    if (cause instanceof ProvisionError) throw cause
    const message = `The answer of ${url} does not follow the RFC: ${oneLine(cause)}.`
    throw new ProvisionError('issuer_invalid', message, { cause })
  }
}
