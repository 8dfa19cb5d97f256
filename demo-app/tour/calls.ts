import type { Call, Memory, Site, Step } from './step'

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:jwt'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** `client_secret_basic`: id and secret are form-encoded before they are joined (RFC 6749 2.3.1). */
function asDemoClient({ clientId, clientSecret }: Site, memory: Memory): string {
  const pair = [clientId, clientSecret].map((text) => encodeURIComponent(text)).join(':')
  return `Basic ${memory.keep('client id and secret', Buffer.from(pair).toString('base64'))}`
}

/** A GET with a key that an earlier step brought. */
export function getWith(path: string, keyName: string): Step['call'] {
  return ({ origin }, memory) => ({
    method: 'GET',
    url: `${origin}${path}`,
    authorization: `Bearer ${memory.recall(keyName)}`,
  })
}

/** A POST of JSON with a key that an earlier step brought. */
export function postWith(path: string, keyName: string, json: object): Step['call'] {
  return (site, memory) => ({ ...getWith(path, keyName)(site, memory), method: 'POST', json })
}

export function exchangeOf(keyName: string): Step['call'] {
  return ({ origin }, memory) => ({
    method: 'POST',
    url: `${origin}/oauth/token`,
    form: {
      grant_type: EXCHANGE,
      subject_token: memory.recall(keyName),
      subject_token_type: TOKEN_TYPE,
    },
  })
}

export function introspectionOf(name: string): Step['call'] {
  return (site, memory) => ({
    method: 'POST',
    url: `${site.origin}/oauth/introspect`,
    authorization: asDemoClient(site, memory),
    form: { token: memory.recall(name) },
  })
}

/** What a step that asks for a key may differ in. */
export interface KeyRequest {
  readonly title: string
  readonly name: string
  readonly form: (site: Site) => Call['form']
  readonly meaning: string
}

/** A step in which the demo's client asks for a key. */
export function keyStep({ title, name, form, meaning }: KeyRequest): Step {
  return {
    title,
    call: (site, memory) => ({
      method: 'POST',
      url: `${site.origin}/oauth/token`,
      authorization: asDemoClient(site, memory),
      form: { grant_type: 'client_credentials', ...form(site) },
    }),
    status: 200,
    members: { token_type: 'Bearer' },
    secrets: { access_token: name },
    event: 'key.issued',
    meaning,
  }
}
