import { dpopProof } from '../client/assertions.js'
import { claimsOf } from '../client/provisioning-key.js'
import { newPrivateKey, type PublicKeyJwk, type Signer, signerOf, thumbprintOf } from '../client/signer.js'
import type { TestClock } from './clock.js'

/**
 * The request that a DPoP proof is for.
 *
 * @example
 * const proven: ProofTarget = { method: 'POST', url: 'https://api.example.com/devices' }
 */
export interface ProofTarget {
  readonly method: string
  /** The URL, with the origin that the app has in production. A path is enough if there is a `token`: its audience has the origin. */
  readonly url: string
  /** The key or access token in the header `Authorization`. */
  readonly token?: string | undefined
  /** The nonce of the header `DPoP-Nonce`, if the app wants one. */
  readonly nonce?: string | undefined
}

/**
 * A DPoP key, which makes proofs for keys and access tokens (RFC 9449).
 *
 * @example
 * async function ask(kit: TestKit) {
 *   const dpop: TestDpopKey = await kit.dpopKey()
 *   const token = await kit.testKey({ scope: 'devices:create', dpop })
 *   return dpop.headers({ method: 'POST', url: '/devices', token })
 * }
 */
export interface TestDpopKey {
  /** The thumbprint of the public key (RFC 7638): the `jkt` of what is bound to it. */
  readonly thumbprint: string
  readonly publicJwk: PublicKeyJwk
  /** A proof for one request. */
  proof(target: ProofTarget): Promise<string>
  /** The headers `Authorization` and `DPoP` of one request with a key or an access token. */
  headers(target: ProofTarget & { readonly token: string }): Promise<Record<'Authorization' | 'DPoP', string>>
}

/** Makes a DPoP key. Its proofs have the time of `clock`. */
export async function newDpopKey({ now }: Pick<TestClock, 'now'>): Promise<TestDpopKey> {
  const signer: Signer = await signerOf(await newPrivateKey())
  const proof: TestDpopKey['proof'] = ({ url, token, ...target }) =>
    dpopProof(signer, { ...target, token, url: absoluteUrl(url, token), now: Math.floor(now() / 1000) })
  return Object.freeze({
    thumbprint: await thumbprintOf(signer),
    publicJwk: signer.publicJwk,
    proof,
    async headers(target) {
      return { Authorization: `DPoP ${target.token}`, DPoP: await proof(target) }
    },
  } satisfies TestDpopKey)
}

/** The URL for a proof. A guard expects the origin of its audience, or that of the issuer if the audience is no https URL. */
export function absoluteUrl(url: string, token: string | undefined): string {
  if (URL.canParse(url)) return url
  const { aud, iss } = (token === undefined ? undefined : claimsOf(token)) ?? {}
  const base = [aud, iss].find((one) => typeof one === 'string' && /^https?:/.test(one))
  if (typeof base === 'string' && URL.canParse(url, base)) return new URL(url, base).href
  throw new TypeError('url: expected a URL, or a path together with a token')
}
