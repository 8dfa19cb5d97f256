import {
  encodePart,
  FORGERIES,
  type Forge,
  hmacWith,
  makeToken,
  newPair,
} from '../../testing/forged-token.js'
import type { CheckDescription } from '../check.js'

/** All tricks. None of the keys that they make may be accepted. */
export const FORGED_KEYS: readonly (CheckDescription & { readonly forge: Forge })[] = [
  {
    id: 'forgery-alg-none',
    title: 'a key without a signature is refused (alg none)',
    clause: 'RFC 8725 3.1, RFC 8725 3.2',
    fix: 'Verify each key with the algorithm of the signing key, and never with the algorithm that the header of the key names.',
    forge: FORGERIES.algNone,
  },
  {
    id: 'forgery-hs256',
    title: 'a key that is signed with the public key as a secret is refused',
    clause: 'RFC 8725 3.1',
    fix: 'Verify each key with the algorithm of the signing key, and never with the algorithm that the header of the key names.',
    needs: ['key-missing', 'jwks-served'],
    forge: FORGERIES.publicKeyAsSecret,
  },
  {
    id: 'forgery-signature',
    title: 'a key with another signature, or with none, is refused',
    clause: 'RFC 7515 5.2',
    fix: 'Verify the signature of each key.',
    forge: FORGERIES.forgedSignature,
  },
  {
    id: 'forgery-claims',
    title: 'a key with changed claims is refused',
    clause: 'RFC 7515 5.2',
    fix: 'Verify the signature before you read the claims.',
    forge: FORGERIES.changedClaims,
  },
  {
    id: 'forgery-embedded-jwk',
    title: 'a key that contains or names its own public key is refused (jwk, jku, x5u)',
    clause: 'RFC 8725 3.10, RFC 7515 4.1.3',
    fix: 'Verify each key only with the signing keys of the server. Ignore or refuse jwk, jku, x5c and x5u.',
    forge: FORGERIES.embeddedKey,
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
