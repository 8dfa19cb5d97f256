import { createHmac } from 'node:crypto'
import type { Reason } from '../../lib/base/errors.js'
import { type ClientKey, clientKey } from './client-assertion.js'
import type { ProofParts, ProofTarget } from './proof.js'

/** A proof that every place must refuse, made for a target and a key. */
export type RefusedProof = readonly [title: string, reason: Reason, make: MakeProof]

type MakeProof = (proof: (parts?: ProofParts) => string, wanted: Wanted) => string

interface Wanted {
  readonly holder: ClientKey
  readonly target: ProofTarget
}

const stranger = clientKey()
const rsa = clientKey('RS256')
const seconds = () => Math.floor(Date.now() / 1000)

/** Proofs that differ only in the header, the claims or the `htu`. */
const header =
  (changed: Record<string, unknown>): MakeProof =>
  (proof) =>
    proof({ header: changed })
const claims =
  (changed: Record<string, unknown>): MakeProof =>
  (proof) =>
    proof({ claims: changed })
const htu =
  (change: (url: string) => unknown): MakeProof =>
  (proof, { target }) =>
    proof({ claims: { htu: change(target.url) } })

/** A proof built from the parts of a correct one. */
const rebuilt =
  (build: (parts: string[]) => string): MakeProof =>
  (proof) =>
    build(proof().split('.'))

function symmetric(proof: (parts?: ProofParts) => string): string {
  const k = Buffer.alloc(32, 1)
  const parts = { header: { alg: 'HS256', jwk: { kty: 'oct', k: k.toString('base64url') } } }
  const input = proof({ ...parts, signature: 'AAAA' })
    .split('.')
    .slice(0, 2)
    .join('.')
  return `${input}.${createHmac('sha256', k).update(input).digest('base64url')}`
}

const FORM: RefusedProof[] = [
  ['an empty text', 'dpop_malformed', () => ' '],
  ['a word', 'dpop_malformed', () => 'proof'],
  ['two parts', 'dpop_malformed', rebuilt(([a, b]) => `${a}.${b}`)],
  ['four parts', 'dpop_malformed', rebuilt(([a, b, c]) => `${a}.${b}.${c}.${c}`)],
  ['no signature', 'dpop_malformed', rebuilt(([a, b]) => `${a}.${b}.`)],
  ['padding', 'dpop_malformed', rebuilt(([a, b, c]) => `${a}.${b}.${c}==`)],
  ['a header that is a list', 'dpop_malformed', rebuilt(([, b, c]) => `W10.${b}.${c}`)],
  ['a payload that is a text', 'dpop_malformed', (proof) => proof({ payload: () => '"claims"' })],
  ['a payload that is null', 'dpop_malformed', (proof) => proof({ payload: () => 'null' })],
  ['a payload that is no JSON', 'dpop_malformed', (proof) => proof({ payload: (json) => `${json}}` })],
  ['9000 characters', 'dpop_malformed', claims({ more: 'x'.repeat(9000) })],
  ['a crit header that names exp', 'dpop_malformed', header({ crit: ['exp'] })],
  ['a crit header that is empty', 'dpop_malformed', header({ crit: [] })],
  ['an unencoded payload (RFC 7797)', 'dpop_malformed', header({ crit: ['b64'], b64: false })],
]

const TYPES: RefusedProof[] = [
  undefined,
  'JWT',
  'at+jwt',
  'provisioning-key+jwt',
  '',
  'dpop',
  'dpop+jwt ',
  7,
  null,
  ['dpop+jwt'],
].map((typ) => [`the typ ${JSON.stringify(typ)}`, 'dpop_type_wrong', header({ typ })])

const ALGORITHMS: RefusedProof[] = [
  ...[undefined, 'none', 'None', 'HS256', 'RS1', 'RS512', 'ES256K', 'es256', '', 7, null, ['ES256']].map(
    (alg): RefusedProof => [`the alg ${JSON.stringify(alg)}`, 'dpop_algorithm_refused', header({ alg })],
  ),
  ['a MAC by a key that it brings', 'dpop_algorithm_refused', symmetric],
  [
    'the alg none and no signature',
    'dpop_malformed',
    (proof) => proof({ header: { alg: 'none' }, signature: '' }),
  ],
  ...['ES384', 'ES512', 'RS256', 'PS256', 'EdDSA', 'Ed25519'].map(
    (alg): RefusedProof => [`the alg ${alg} for a key on P-256`, 'dpop_signature_wrong', header({ alg })],
  ),
  [
    'the alg ES256 for an RSA key',
    'dpop_signature_wrong',
    (proof) => proof({ header: { jwk: rsa.jwk }, signer: rsa }),
  ],
  [
    'the alg PS256 and a signature by RS256',
    'dpop_signature_wrong',
    (proof) => proof({ header: { alg: 'PS256', jwk: rsa.jwk }, signer: rsa }),
  ],
]

const KEYS: RefusedProof[] = [
  ['no jwk', 'dpop_key_refused', header({ jwk: undefined })],
  ['a jwk that is null', 'dpop_key_refused', header({ jwk: null })],
  [
    'a jwk that is a text',
    'dpop_key_refused',
    (proof, { holder }) => proof({ header: { jwk: JSON.stringify(holder.jwk) } }),
  ],
  [
    'a jwk that is a list',
    'dpop_key_refused',
    (proof, { holder }) => proof({ header: { jwk: [holder.jwk] } }),
  ],
  [
    'a private jwk',
    'dpop_key_refused',
    (proof, { holder }) => proof({ header: { jwk: holder.privateKey.export({ format: 'jwk' }) } }),
  ],
  ['a symmetric jwk', 'dpop_key_refused', header({ jwk: { kty: 'oct', k: 'AAAA' } })],
  [
    'a jwk off its curve',
    'dpop_key_refused',
    (proof, { holder: { jwk } }) => proof({ header: { jwk: { ...jwk, x: jwk.y, y: jwk.x } } }),
  ],
  [
    'an address of keys in place of a key',
    'dpop_key_refused',
    header({ jwk: undefined, jku: 'https://evil.example/jwks', kid: '1' }),
  ],
  [
    'an address of a certificate in place of a key',
    'dpop_key_refused',
    header({ jwk: undefined, x5u: 'https://evil.example/cert' }),
  ],
  ['a certificate in place of a key', 'dpop_key_refused', header({ jwk: undefined, x5c: ['MIIB'] })],
]

const SIGNATURES: RefusedProof[] = [
  ['the signature of a stranger', 'dpop_signature_wrong', (proof) => proof({ signer: stranger })],
  ['a signature of 3 bytes', 'dpop_signature_wrong', (proof) => proof({ signature: 'AAAA' })],
  ['a signature of zeros', 'dpop_signature_wrong', (proof) => proof({ signature: 'A'.repeat(86) })],
  [
    'the signature of another proof',
    'dpop_signature_wrong',
    (proof) => {
      const [a, b] = proof().split('.')
      return `${a}.${b}.${proof().split('.')[2]}`
    },
  ],
  [
    'a claim that was changed afterwards',
    'dpop_signature_wrong',
    (proof) => {
      const [a, b = '', c] = proof().split('.')
      const text = Buffer.from(b, 'base64url').toString().replace('"htm"', '"more":1,"htm"')
      return `${a}.${Buffer.from(text).toString('base64url')}.${c}`
    },
  ],
]

const NOT_TEXTS: unknown[] = [undefined, null, 7, true, [], {}, ['a']]
const NOT_NUMBERS: unknown[] = [undefined, null, '', String(seconds()), true, [], {}, [seconds()]]

const CLAIMS: RefusedProof[] = [
  ...['jti', 'htm', 'htu'].flatMap((name) =>
    NOT_TEXTS.map(
      (value): RefusedProof => [
        `the ${name} ${JSON.stringify(value)}`,
        'dpop_claims_malformed',
        claims({ [name]: value }),
      ],
    ),
  ),
  ...NOT_NUMBERS.map(
    (iat): RefusedProof => [`the iat ${JSON.stringify(iat)}`, 'dpop_claims_malformed', claims({ iat })],
  ),
  [
    'an iat of 1e400',
    'dpop_claims_malformed',
    (proof) => proof({ payload: (json) => json.replace(/"iat":\d+/, '"iat":1e400') }),
  ],
  [
    'an iat of -1e400',
    'dpop_claims_malformed',
    (proof) => proof({ payload: (json) => json.replace(/"iat":\d+/, '"iat":-1e400') }),
  ],
  ['an empty jti', 'dpop_claims_malformed', claims({ jti: '' })],
  ['a jti of 257 characters', 'dpop_claims_malformed', claims({ jti: 'x'.repeat(257) })],
]

const TIMES: RefusedProof[] = [
  ...[0, -1, -1.5, 1e300, 1_000_000_000, Number.MAX_SAFE_INTEGER].map(
    (iat): RefusedProof => [`an iat of ${iat}`, 'dpop_stale', claims({ iat })],
  ),
  ...[-3600, -67, -66.5, 7.5, 60, 3600].map(
    (by): RefusedProof => [
      `an iat ${by} s from now`,
      'dpop_stale',
      (proof) => proof({ claims: { iat: Date.now() / 1000 + by } }),
    ],
  ),
  ['an iat in milliseconds', 'dpop_stale', (proof) => proof({ claims: { iat: Date.now() } })],
  ['an exp that is over', 'dpop_stale', (proof) => proof({ claims: { exp: seconds() - 10 } })],
  ['an exp that is a text', 'dpop_stale', (proof) => proof({ claims: { exp: String(seconds() + 60) } })],
  ['an nbf to come', 'dpop_stale', (proof) => proof({ claims: { nbf: seconds() + 10 } })],
]

const TARGETS: RefusedProof[] = [
  ['an empty htm', 'dpop_method_wrong', claims({ htm: '' })],
  ['the htm DELETE', 'dpop_method_wrong', claims({ htm: 'DELETE' })],
  [
    'an htm in lower case',
    'dpop_method_wrong',
    (proof, { target }) => proof({ claims: { htm: target.method.toLowerCase() } }),
  ],
  [
    'an htm with a space',
    'dpop_method_wrong',
    (proof, { target }) => proof({ claims: { htm: `${target.method} ` } }),
  ],
  ['an empty htu', 'dpop_target_wrong', claims({ htu: '' })],
  ['a path for an htu', 'dpop_target_wrong', htu((url) => new URL(url).pathname)],
  ['an htu of http', 'dpop_target_wrong', htu((url) => url.replace('https:', 'http:'))],
  [
    'an htu of http on port 443',
    'dpop_target_wrong',
    htu((url) => url.replace('https:', 'http:').replace('.com/', '.com:443/')),
  ],
  ['an htu of another host', 'dpop_target_wrong', htu((url) => url.replace('example.com', 'example.org'))],
  [
    'an htu of a host that begins alike',
    'dpop_target_wrong',
    htu((url) => url.replace('.com/', '.com.evil.example/')),
  ],
  ['an htu with a dot after the host', 'dpop_target_wrong', htu((url) => url.replace('.com/', '.com./'))],
  ['an htu of another port', 'dpop_target_wrong', htu((url) => url.replace('.com/', '.com:8443/'))],
  ['an htu of another path', 'dpop_target_wrong', htu((url) => `${url}s`)],
  ['an htu with a slash at its end', 'dpop_target_wrong', htu((url) => `${url}/`)],
  [
    'an htu whose path is in upper case',
    'dpop_target_wrong',
    htu((url) => url.replace(/\w+$/, (last) => last.toUpperCase())),
  ],
  ['an htu with an encoded slash', 'dpop_target_wrong', htu((url) => url.replace(/\/(\w+)$/, '%2F$1'))],
  [
    'an htu with user information',
    'dpop_target_wrong',
    htu((url) => url.replace('https://', 'https://user@')),
  ],
  [
    'an htu with empty user information',
    'dpop_target_wrong',
    htu((url) => url.replace('https://', 'https://@')),
  ],
  ['an htu with a backslash', 'dpop_target_wrong', htu((url) => url.replace(/\/(\w+)$/, '\\$1'))],
  ['an htu with a space before it', 'dpop_target_wrong', htu((url) => ` ${url}`)],
  ['an htu with a tab in it', 'dpop_target_wrong', htu((url) => url.replace('.com/', '.com\t/'))],
]

/** The negative cases of the OpenID conformance suite, and more. */
export const REFUSED_PROOFS: readonly RefusedProof[] = [
  ...FORM,
  ...TYPES,
  ...ALGORITHMS,
  ...KEYS,
  ...SIGNATURES,
  ...CLAIMS,
  ...TIMES,
  ...TARGETS,
]
