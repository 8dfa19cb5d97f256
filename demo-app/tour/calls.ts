import type { Holder } from './holder'
import type { Ask, Call, Memory, Site, Step } from './step'

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:jwt'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** A GET with a key that an earlier step brought. */
export function getWith(path: string, keyName: string): Ask {
  return ({ origin }, memory) => ({
    method: 'GET',
    url: `${origin}${path}`,
    authorization: `Bearer ${memory.recall(keyName)}`,
  })
}

/** A POST, of JSON where there is some, with a key that an earlier step brought. */
export function postWith(path: string, keyName: string, json?: object): Ask {
  return (site, memory) => ({
    ...getWith(path, keyName)(site, memory),
    method: 'POST',
    ...(json !== undefined && { json }),
  })
}

/** A POST of a form. */
export function postForm(path: string, form: (site: Site, memory: Memory) => Record<string, string>): Ask {
  return (site, memory) => ({ method: 'POST', url: `${site.origin}${path}`, form: form(site, memory) })
}

export function keyRequest(form: (site: Site) => Record<string, string>): Ask {
  return postForm('/oauth/token', (site) => ({ grant_type: 'client_credentials', ...form(site) }))
}

export function exchangeOf(keyName: string): Ask {
  return postForm('/oauth/token', (_, memory) => ({
    grant_type: EXCHANGE,
    subject_token: memory.recall(keyName),
    subject_token_type: TOKEN_TYPE,
  }))
}

export function introspectionOf(name: string): Ask {
  return asDemoClient(postForm('/oauth/introspect', (_, memory) => ({ token: memory.recall(name) })))
}

function asDemoClient(ask: Ask): Ask {
  return (site, memory) => {
    const authorization = basic('client id and secret', [site.clientId, site.clientSecret], memory)
    return { ...ask(site, memory), authorization }
  }
}

/** As a client that an earlier step registered; its id and its secret are recalled by what they are called. */
export function asClient(id: string, secret: string, ask: Ask): Ask {
  return (site, memory) => {
    const authorization = basic(`${id} and its secret`, [memory.recall(id), memory.recall(secret)], memory)
    return { ...ask(site, memory), authorization }
  }
}

/** `client_secret_basic`: id and secret are form-encoded before they are joined (RFC 6749 2.3.1). */
function basic(name: string, pair: readonly string[], memory: Memory): string {
  const joined = pair.map((text) => encodeURIComponent(text)).join(':')
  return `Basic ${memory.keep(name, Buffer.from(joined).toString('base64'))}`
}

/** `private_key_jwt`: a new assertion for each request, signed by the client's own key (RFC 7523 2.2). */
export function assertedBy(holder: Holder, clientId: string, ask: Ask): Ask {
  return (site, memory) => {
    const call = ask(site, memory)
    const assertion = memory.keep(`assertion by ${holder.name}`, holder.assert(clientId, site.origin))
    const form = { client_assertion_type: ASSERTION_TYPE, client_assertion: assertion }
    return { ...call, form: { ...call.form, ...form } }
  }
}

/** The same call with a DPoP proof for it; what it presents is presented as bound (RFC 9449 7.1). */
export function provenBy(holder: Holder, ask: Ask): Ask {
  return (site, memory): Call => {
    const call = ask(site, memory)
    const { method, url, authorization } = call
    const [, presented] = /^Bearer (.+)$/.exec(authorization ?? '') ?? []
    const name = `proof by ${holder.name}, for ${method} ${new URL(url).pathname}`
    const dpop = memory.keep(name, holder.prove({ method, url }, presented))
    return { ...call, dpop, ...(presented !== undefined && { authorization: `DPoP ${presented}` }) }
  }
}

/** What a step that asks for a key may differ in. */
export interface KeyRequest {
  readonly title: string
  readonly name: string
  readonly form: (site: Site) => Record<string, string>
  readonly meaning: string
}

/** A step in which the demo's client asks for a key. */
export function keyStep({ title, name, form, meaning }: KeyRequest): Step {
  return {
    title,
    call: asDemoClient(keyRequest(form)),
    status: 200,
    members: { token_type: 'Bearer' },
    secrets: { access_token: name },
    event: 'key.issued',
    meaning,
  }
}
