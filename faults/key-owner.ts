import { prover } from '../__tests__/support/prover'

/** How the owner of a key sends it. */
export interface KeyOwner {
  readonly isBound: boolean
  readonly scheme: 'Bearer' | 'DPoP'
  /** The headers that prove possession for one request. */
  proof(method: string, url: string, token?: string): Readonly<Record<string, string>>
}

export const BEARER: KeyOwner = { isBound: false, scheme: 'Bearer', proof: () => ({}) }

/** An owner with a DPoP key, to which its provisioning keys are bound. */
export function dpopKeyOwner(): KeyOwner {
  const { prove } = prover()
  return {
    isBound: true,
    scheme: 'DPoP',
    proof: (method, url, token) => ({ DPoP: prove(method, url, token) }),
  }
}
