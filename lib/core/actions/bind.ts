import type { KeyObject } from 'node:crypto'
import type { Binding, Client } from '../client.js'
import { findClient } from '../client-authentication/authenticate.js'
import { type Deployment, numericDate } from '../deployment.js'
import { malformed, ProvisioningError } from '../errors.js'
import { importPublicJwk, publicJwk, thumbprint } from '../jwk.js'
import { type Claims, parseJws, verifiesWith } from '../jws.js'
import { inheritedPolicy, type Policy } from '../policy.js'
import { lastingScopes, randomId, type VerifiedKey } from '../provisioning-key.js'
import { type Redeem, redeemFor } from '../redemption.js'
import type { Verified } from '../verification.js'
import { policyOf } from './token.js'

export const BIND_SCOPE = 'provision:bind'

/** The `typ` of the JWT that proves possession of the key to be bound (RFC 8725 3.11). */
const PROOF_TYPE = 'provisioning-binding+jwt'

/** How old a proof may be, in seconds; it names the provisioning key, which is short-lived and single-use itself. */
const PROOF_AGE_SECONDS = 300

export interface BindAnswer {
  readonly client_id: string
  readonly binding_id: string
  readonly cnf: { readonly jkt: string }
  /** NumericDate. */
  readonly bound_at: number
}

/** Redeems a key to tie a public key, whose possession is proven, to the key's subject. */
export type Bind = (
  verified: Verified,
  body: Claims,
  endpoint: string,
  address?: string,
) => Promise<BindAnswer>

export function binder(deployment: Deployment, redeem: Redeem): Bind {
  return async function bind({ key, proof }, body, endpoint, address) {
    const publicKey = body.jwk === undefined && proof !== undefined ? proof.publicKey : readKey(body)
    if (publicKey !== proof?.publicKey) verifyProof(deployment, body, publicKey, { endpoint, jti: key.jti })
    const policy = await policyOf(deployment, key)
    refuseSecondBinding(await findClient(deployment, key.subject))
    const claimed = await redeem(key, 'bind', address)
    const binding = await redeemFor(claimed, () => save(deployment, { key, policy, publicKey }))
    const { jti: keyId, clientId, subject } = key
    const { bindingId, thumbprint, boundAt } = binding
    deployment.emit('client.bound', { keyId, clientId, subject, bindingId, thumbprint })
    return { client_id: subject, binding_id: bindingId, cnf: { jkt: thumbprint }, bound_at: boundAt }
  }
}

const WHAT_TO_SEND = 'Send a DPoP proof, whose key is bound; or jwk, the public key to be bound, and proof.'

function readKey(body: Claims): KeyObject {
  if (body.jwk === undefined) throw malformed('parameter_missing', WHAT_TO_SEND)
  const key = importPublicJwk(body.jwk)
  if (typeof key === 'string') throw malformed('binding_key_refused', `jwk is refused: ${key}.`)
  return key
}

/** The proof is made for this endpoint and this provisioning key, by the holder of the key that is to be bound. */
function verifyProof(
  deployment: Deployment,
  { proof }: Claims,
  publicKey: KeyObject,
  expected: { readonly endpoint: string; readonly jti: string },
): void {
  if (typeof proof !== 'string')
    throw malformed('parameter_missing', 'proof is missing: a JWT signed by the jwk.')
  const claims = verifyProofSignature(proof, publicKey)
  const age = numericDate(deployment) - (Number.isSafeInteger(claims.iat) ? Number(claims.iat) : Number.NaN)
  if (claims.aud !== expected.endpoint) throw proofRefused(`its aud is not ${expected.endpoint}`)
  if (claims.key_id !== expected.jti) throw proofRefused('its key_id is not the jti of the provisioning key')
  if (!(age <= PROOF_AGE_SECONDS && age >= -deployment.clockToleranceSeconds)) {
    throw proofRefused(`its iat is not within the last ${PROOF_AGE_SECONDS} s`)
  }
}

function verifyProofSignature(proof: string, publicKey: KeyObject): Claims {
  const jws = parseJws(proof)
  if (typeof jws === 'string' || jws.claims === undefined) throw proofRefused('it is not a JWT')
  const { typ } = jws.header
  if (typeof typ !== 'string' || typ.toLowerCase() !== PROOF_TYPE)
    throw proofRefused(`its typ is not ${PROOF_TYPE}`)
  if (Object.hasOwn(jws.header, 'crit')) throw proofRefused('it has a crit header')
  if (!verifiesWith(jws, publicKey)) throw proofRefused('it is not signed by the jwk')
  return jws.claims
}

function proofRefused(fault: string): ProvisioningError {
  return malformed('binding_proof_wrong', `The proof is refused: ${fault}.`)
}

/** An identity that has a key keeps it: a stolen provisioning key must not be able to put another in its place. */
function refuseSecondBinding(client: Client | undefined): void {
  if ((client?.bindings?.length ?? 0) === 0) return
  throw malformed('binding_exists', 'The client has a bound key already.')
}

interface NewBinding {
  readonly key: VerifiedKey
  readonly policy: Policy
  readonly publicKey: KeyObject
}

async function save(deployment: Deployment, { key, policy, publicKey }: NewBinding) {
  const before = await findClient(deployment, key.subject)
  refuseSecondBinding(before)
  const binding: Binding = {
    bindingId: randomId(),
    jwk: publicJwk(publicKey),
    thumbprint: thumbprint(publicKey),
    boundAt: numericDate(deployment),
    keyId: key.jti,
  }
  const client = {
    ...(before ?? newcomer(key, policy)),
    revision: (before?.revision ?? 0) + 1,
    bindings: [binding],
  }
  if (!(await saving(() => deployment.registry.save(client)))) {
    throw malformed('binding_exists', 'The client was changed by another request at the same moment.')
  }
  return { result: binding, undo: () => takeBack(deployment, client, before) }
}

/** A subject that is no client yet becomes one, with no more than what the key that brought it can leave behind. */
function newcomer(key: VerifiedKey, policy: Policy): Omit<Client, 'revision'> {
  const scopes = lastingScopes(key).filter((scope) => policy.scopes.has(scope))
  return {
    clientId: key.subject,
    authenticationMethods: [],
    policy: inheritedPolicy(policy, { scopes, audience: key.audience }),
    registeredBy: { clientId: key.clientId, keyId: key.jti },
  }
}

async function takeBack(
  deployment: Deployment,
  client: Client,
  before: Client | undefined,
): Promise<unknown> {
  if (before === undefined) return deployment.registry.delete(client.clientId)
  return deployment.registry.save({ ...before, revision: client.revision + 1 })
}

/** Asks the registry; one that does not answer refuses the request. */
export async function saving<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    throw new ProvisioningError('registry_unavailable', 'The client registry did not answer.', { cause })
  }
}
