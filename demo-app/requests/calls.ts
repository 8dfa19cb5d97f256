import type { KeyPair } from './key-pair'
import type { Call, CallFactory, Memory, Site } from './step'

export const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:jwt'
export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** The answer to a key or token that the server does not accept. */
export const REFUSED = { status: 401, members: { error: 'invalid_token' }, event: 'request.refused' } as const

/** A GET with a key or token of an earlier step. */
export function getWith(path: string, tokenName: string): CallFactory {
  return ({ origin }, memory) => ({
    method: 'GET',
    url: `${origin}${path}`,
    authorization: `Bearer ${memory.recall(tokenName)}`,
  })
}

/** A POST with a key or token of an earlier step. */
export function postWith(path: string, tokenName: string, json?: object): CallFactory {
  return (site, memory) => ({
    ...getWith(path, tokenName)(site, memory),
    method: 'POST',
    ...(json !== undefined && { json }),
  })
}

export function postForm(
  path: string,
  form: (site: Site, memory: Memory) => Record<string, string>,
): CallFactory {
  return (site, memory) => ({ method: 'POST', url: `${site.origin}${path}`, form: form(site, memory) })
}

export function keyRequest(form: (site: Site) => Record<string, string>): CallFactory {
  return postForm('/oauth/token', (site) => ({ grant_type: 'client_credentials', ...form(site) }))
}

export function exchangeOf(keyName: string): CallFactory {
  return postForm('/oauth/token', (_, memory) => ({
    grant_type: EXCHANGE,
    subject_token: memory.recall(keyName),
    subject_token_type: TOKEN_TYPE,
  }))
}

export function introspectionOf(tokenName: string): CallFactory {
  return asDemoClient(postForm('/oauth/introspect', (_, memory) => ({ token: memory.recall(tokenName) })))
}

function asDemoClient(call: CallFactory): CallFactory {
  return (site, memory) => {
    const authorization = basic('client id and secret', [site.clientId, site.clientSecret], memory)
    return { ...call(site, memory), authorization }
  }
}

/** Authenticates as a client that an earlier step registered. */
export function asClient(idName: string, secretName: string, call: CallFactory): CallFactory {
  return (site, memory) => {
    const pair = [memory.recall(idName), memory.recall(secretName)]
    const authorization = basic(`${idName} and its secret`, pair, memory)
    return { ...call(site, memory), authorization }
  }
}

/** `client_secret_basic`: id and secret are form-encoded before they are joined (RFC 6749 2.3.1). */
function basic(name: string, pair: readonly string[], memory: Memory): string {
  const joined = pair.map((text) => encodeURIComponent(text)).join(':')
  return `Basic ${memory.keepSecret(name, Buffer.from(joined).toString('base64'))}`
}

/** `private_key_jwt`: signs a new assertion for each request (RFC 7523 2.2). */
export function withAssertion(keyPair: KeyPair, clientId: string, createCall: CallFactory): CallFactory {
  return (site, memory) => {
    const call = createCall(site, memory)
    const name = `assertion by ${keyPair.owner}`
    const assertion = memory.keepSecret(name, keyPair.assert(clientId, site.origin))
    const form = { client_assertion_type: ASSERTION_TYPE, client_assertion: assertion }
    return { ...call, form: { ...call.form, ...form } }
  }
}

/** Adds a DPoP proof. The key or token is then sent with the DPoP scheme (RFC 9449 7.1). */
export function withProof(keyPair: KeyPair, createCall: CallFactory): CallFactory {
  return (site, memory): Call => {
    const call = createCall(site, memory)
    const { method, url, authorization } = call
    const [, token] = /^Bearer (.+)$/.exec(authorization ?? '') ?? []
    const name = `proof by ${keyPair.owner}, for ${method} ${new URL(url).pathname}`
    const dpop = memory.keepSecret(name, keyPair.prove({ method, url }, token))
    return { ...call, dpop, ...(token !== undefined && { authorization: `DPoP ${token}` }) }
  }
}

export interface NewKey {
  /** The name under which to remember the key. */
  readonly name: string
  readonly form: (site: Site) => Record<string, string>
}

/** The demo's client requests a key. Other members, such as a title, stay as they are. */
export function newKey<Given extends NewKey>({ name, form, ...others }: Given) {
  return {
    ...others,
    call: asDemoClient(keyRequest(form)),
    status: 200,
    members: { token_type: 'Bearer' },
    secrets: { access_token: name },
    event: 'key.issued',
  } as const
}

/** The same with a key that is bound to the key pair of somebody else (RFC 9449). */
export function boundKey<Given extends NewKey>(keyPair: KeyPair, given: Given) {
  const exchange = newKey(given)
  return { ...exchange, call: withProof(keyPair, exchange.call), members: { token_type: 'DPoP' } }
}
