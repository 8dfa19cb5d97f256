import type { Claims } from '../../jose/jws.js'
import {
  type DecodedToken,
  encodePart,
  hmacWith,
  makeToken,
  newPair,
  signedWithPublicKeys,
  unsigned,
} from '../../testing/forged-token.js'
import type { CheckDescription } from '../check.js'
import type { Deployment } from './deployment.js'

/** A trick that needs no signing key, and the tokens that it makes of a genuine key. */
interface Forgery extends CheckDescription {
  forge(token: DecodedToken, deployment: Deployment): readonly string[]
}

/** All tricks. None of the keys that they make may be accepted. */
export const FORGERIES: readonly Forgery[] = [
  {
    id: 'forgery-alg-none',
    title: 'a key without a signature is refused (alg none)',
    clause: 'RFC 8725 3.1, RFC 8725 3.2',
    fix: 'Verify each key with the algorithm of the signing key, and never with the algorithm that the header of the key names.',
    forge: unsigned,
  },
  {
    id: 'forgery-hs256',
    title: 'a key that is signed with the public key as a secret is refused',
    clause: 'RFC 8725 3.1',
    fix: 'Verify each key with the algorithm of the signing key, and never with the algorithm that the header of the key names.',
    needs: ['key-missing', 'jwks-served'],
    forge: (token, { jwks }) => signedWithPublicKeys(token, jwks),
  },
  {
    id: 'forgery-signature',
    title: 'a key with another signature, or with none, is refused',
    clause: 'RFC 7515 5.2',
    fix: 'Verify the signature of each key.',
    forge({ header, claims, parts: [head, payload, signature] }) {
      const bytes = Buffer.from(signature, 'base64url')
      const changed = Buffer.from(bytes)
      changed[0] = (changed[0] ?? 0) ^ 1
      const zeros = Buffer.alloc(bytes.length)
      const others = [changed, zeros, bytes.subarray(0, -1)].map((one) => one.toString('base64url'))
      const foreign = makeToken({ header: { ...header, alg: 'ES256' }, claims }, newPair().sign)
      return [
        ...others.map((one) => `${head}.${payload}.${one}`),
        `${head}.${payload}.`,
        `${head}.${payload}`,
        foreign,
      ]
    },
  },
  {
    id: 'forgery-claims',
    title: 'a key with changed claims is refused',
    clause: 'RFC 7515 5.2',
    fix: 'Verify the signature before you read the claims.',
    forge: ({ claims, parts: [head, , signature] }) =>
      [
        { sub: 'check.invalid-admin' },
        { exp: Number(claims['exp']) + 86_400 },
        { scope: `${claims['scope']} admin` },
      ].map((change) => `${head}.${encodePart({ ...claims, ...change })}.${signature}`),
  },
  {
    id: 'forgery-embedded-jwk',
    title: 'a key that contains or names its own public key is refused (jwk, jku, x5u)',
    clause: 'RFC 8725 3.10, RFC 7515 4.1.3',
    fix: 'Verify each key only with the signing keys of the server. Ignore or refuse jwk, jku, x5c and x5u.',
    forge({ header, claims }) {
      const pair = newPair()
      const url = 'https://check.invalid/jwks.json'
      const additions: Claims[] = [{ jwk: pair.jwk }, { jku: url }, { x5u: url }]
      return additions.map((addition) =>
        makeToken({ header: { ...header, alg: 'ES256', kid: 'check', ...addition }, claims }, pair.sign),
      )
    },
  },
  {
    id: 'forgery-kid',
    title: 'a key with an invented kid is refused',
    clause: 'RFC 8725 3.10',
    fix: 'Use the kid only to select one of the signing keys of the server.',
    forge({ header, claims }) {
      const names = ['../../../../../../dev/null', "x' UNION SELECT '", '', 'toString', '__proto__']
      const forged = names.map((kid) =>
        makeToken({ header: { ...header, alg: 'HS256', kid }, claims }, hmacWith('')),
      )
      return [...forged, makeToken({ header: { ...header, kid: undefined }, claims }, newPair().sign)]
    },
  },
  {
    id: 'forgery-crit',
    title: 'a key with an unknown critical extension is refused',
    clause: 'RFC 7515 4.1.11',
    fix: 'Refuse a key if its crit header names an extension that you do not support.',
    forge: ({ header, parts: [, payload, signature] }) => [
      `${encodePart({ ...header, crit: ['check'], check: true })}.${payload}.${signature}`,
    ],
  },
  {
    id: 'forgery-spelling',
    title: 'a second spelling of a key is refused',
    clause: 'RFC 7515 2, RFC 4648 3.5',
    fix: 'Decode base64url strictly: refuse padding, spaces, line ends, and a last character with unused bits that are not 0.',
    forge({ parts }) {
      const token = parts.join('.')
      return [`${token}=`, `${token}==`, ` ${token}`, `${token}\n`, `${token}.`, respelled(token)]
    },
  },
]

/** The token with another last character, which decodes to the same bytes. */
function respelled(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(token.slice(-1))
  return token.slice(0, -1) + alphabet[last ^ 1]
}
