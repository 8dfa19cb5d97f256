import { prover } from '../__tests__/support/prover'

/** Who holds a key, and how it presents it. */
export interface Holder {
  readonly isBound: boolean
  readonly scheme: 'Bearer' | 'DPoP'
  /** What proves possession for one request. */
  proof(method: string, url: string, token?: string): Readonly<Record<string, string>>
}

/** Whoever has the key. */
export const BEARER: Holder = { isBound: false, scheme: 'Bearer', proof: () => ({}) }

/** Who has a private key, to which its provisioning keys are bound. */
export function proofKeyHolder(): Holder {
  const { prove } = prover()
  return {
    isBound: true,
    scheme: 'DPoP',
    proof: (method, url, token) => ({ DPoP: prove(method, url, token) }),
  }
}
