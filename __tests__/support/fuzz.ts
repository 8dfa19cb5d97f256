import fc from 'fast-check'
import type { ExactRequest } from './exact.js'
import { CLIENT } from './server.js'

/** A part of all random texts, so that a test recognizes an answer that repeats one. */
export const MARK = 'zqXmadeUpXqz'

/** Any character. For this, `fc.string` would build a table of a million entries. */
const character = fc
  .integer({ min: 0, max: 0x10f7ff })
  .map((point) => String.fromCodePoint(point < 0xd800 ? point : point + 0x800))

const text = fc.oneof(
  fc.string({ unit: character, maxLength: 60 }),
  fc.string({ maxLength: 60 }),
  fc.constantFrom(
    '',
    '\0',
    '*',
    '"',
    '\\',
    '..',
    '../../etc/passwd',
    '{{7*7}}',
    '<script>',
    '\u202e',
    '💣',
    '%00',
    '%zz',
  ),
  fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty'),
  fc.string({ minLength: 1, maxLength: 3 }).map((unit) => unit.repeat(500)),
)
const marked = text.map((value) => `${MARK}${value}`)

const NAMES = [
  'grant_type',
  'scope',
  'resource',
  'requested_expiry',
  'requested_subject',
  'subject_token',
  'subject_token_type',
  'client_id',
  'client_secret',
  'token',
  'token_type_hint',
  'access_token',
  'jwk',
  'proof',
  'redirect_uris',
  'client_name',
  'jwks',
  '__proto__',
  'constructor',
]

const KNOWN = fc.constantFrom(
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'urn:ietf:params:oauth:token-type:jwt',
  'devices:read',
  CLIENT,
)
const name = fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...NAMES) }, { weight: 1, arbitrary: marked })
const encoded = fc.oneof(
  { weight: 3, arbitrary: marked.map(encodeURIComponent) },
  { weight: 1, arbitrary: KNOWN.map(encodeURIComponent) },
  { weight: 1, arbitrary: marked.map((value) => value.replace(/[^\x21-\x7e]|[&=]/g, '%')) },
)

const form = fc
  .array(fc.tuple(name.map(encodeURIComponent), encoded), { maxLength: 8 })
  .map((pairs) => pairs.map((pair) => pair.join('=')).join('&'))

const json = fc.oneof(
  fc
    .dictionary(name, fc.oneof(marked, KNOWN, fc.jsonValue({ maxDepth: 4 })))
    .map((value) => JSON.stringify(value)),
  fc.json(),
  fc.nat({ max: 3000 }).map((depth) => `{"${MARK}":${'['.repeat(depth)}${']'.repeat(depth)}}`),
  fc.json().map((value) => value.slice(0, -1)),
)

const mediaType = fc.constantFrom(
  'application/x-www-form-urlencoded',
  'application/x-www-form-urlencoded; charset=latin1',
  'application/json',
  'Application/JSON;charset="utf-8"',
  'application/json, application/json',
  'text/plain',
  'multipart/form-data; boundary=x',
  ';',
  `${MARK}/x`,
)

/** Forms of the two grants, each with a mistake. */
const grant = fc.tuple(KNOWN.map(encodeURIComponent), form).map((pair) => `grant_type=${pair.join('&')}`)

type Content = readonly [type: string, body: string | Buffer]

/** A body and its media type, mostly of the expected kind. */
function content(kind: 'form' | 'json'): fc.Arbitrary<Content> {
  const asForm = fc.oneof(form, grant).map((body): Content => ['application/x-www-form-urlencoded', body])
  const asJson = json.map((body): Content => ['application/json', body])
  const odd = fc.constantFrom('', 'x'.repeat(32_768), 'x'.repeat(70_000))
  const bytes = fc.uint8Array({ maxLength: 2000 }).map((made) => Buffer.from(made))
  return fc.oneof(
    { weight: kind === 'form' ? 12 : 1, arbitrary: asForm },
    { weight: kind === 'json' ? 12 : 1, arbitrary: asJson },
    { weight: 2, arbitrary: fc.tuple(mediaType, fc.oneof(form, json, odd, bytes)) },
  )
}

/** Credentials that are invalid. Some are `genuine` with one changed character. */
function authorization(genuine: string): fc.Arbitrary<string> {
  const changed = fc.nat({ max: genuine.length - 1 }).map((at) => {
    const other = genuine[at] === 'A' ? 'B' : 'A'
    return `Bearer ${genuine.slice(0, at)}${other}${genuine.slice(at + 1)}`
  })
  const visible = marked.map((value) => value.replace(/[^\x20-\x7e]/g, '~'))
  const basic = fc.tuple(fc.constantFrom(CLIENT, MARK, ''), marked).map((pair) => {
    return `Basic ${Buffer.from(pair.join(':')).toString('base64')}`
  })
  return fc.oneof(
    changed,
    basic,
    visible,
    visible.map((value) => `Bearer ${value}`),
    visible.map((value) => `DPoP ${value}`),
    fc.constantFrom(
      'Bearer',
      'Bearer ',
      'Basic',
      'Basic Og==',
      'bearer a.b.c',
      `Bearer ${'eyJ'.repeat(1500)}.x.y`,
    ),
  )
}

/** The `DPoP` header. Most requests have none. */
const proof = fc.option(
  fc.oneof(
    marked.map((value) => value.replace(/[^\x20-\x7e]/g, '~')),
    fc.tuple(fc.json(), fc.json()).map((parts) => {
      const [header, payload] = parts.map((part) => Buffer.from(part).toString('base64url').slice(0, 3000))
      return `${header}.${payload}.AAAA`
    }),
    fc.constantFrom('', '..', 'a.b.c', 'eyJ'.repeat(3000)),
  ),
  { freq: 1 },
)

const query = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: form.map((value) => `?${value.replace(/[^\x21-\x7e]/g, '_')}`) },
  { weight: 1, arbitrary: fc.constantFrom('?', '??', '?=&=', '?%zz', '?a[__proto__][b]=c', '?a=b#c') },
)

export interface FuzzPlan {
  readonly method: string
  readonly path: string
  /** The kind of body that the place accepts. */
  readonly kind: 'form' | 'json'
  /** A key. Strangers send only changed copies of it. */
  readonly key: string
  readonly count: number
  readonly seed: number
}

/** Random requests of a stranger to one place, made from a seed. */
export function strangersRequests(plan: FuzzPlan): ExactRequest[] {
  const credentials = fc.option(authorization(plan.key))
  return sample(plan, fc.tuple(query, content(plan.kind), credentials))
}

/** Random requests with a valid key. None is accepted, because its metadata contain a `jwks_uri`. */
export function holdersRequests(plan: FuzzPlan): ExactRequest[] {
  const refused = content(plan.kind).map(([type, body]): Content => {
    const isObject = typeof body === 'string' && /^\{\s*"/.test(body)
    return [type, isObject ? body.replace('{', `{"jwks_uri":"${MARK}",`) : body]
  })
  const credentials = fc.constant(`Bearer ${plan.key}`)
  return sample(
    plan,
    fc.tuple(
      fc.constant(''),
      refused.filter(([, body]) => body !== '{}'),
      credentials,
    ),
  )
}

function sample(
  { method, path, count, seed }: FuzzPlan,
  parts: fc.Arbitrary<[query: string, content: Content, authorization: string | null]>,
): ExactRequest[] {
  const methods = fc.oneof(
    { weight: 12, arbitrary: fc.constant(method) },
    { weight: 1, arbitrary: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND') },
  )
  const requests = fc
    .tuple(methods, fc.boolean(), parts, proof)
    .map(([method, isChunked, [query, content, credentials], DPoP]) => {
      const [type, body] = content
      const framing = isChunked
        ? { 'Transfer-Encoding': 'chunked' }
        : { 'Content-Length': Buffer.byteLength(body) }
      const headers = {
        'Content-Type': type,
        ...framing,
        ...(credentials && { Authorization: credentials }),
        ...(DPoP !== null && { DPoP }),
      }
      return { method, path: `${path}${query}`, headers, body }
    })
  return fc.sample(requests, { numRuns: count, seed })
}
