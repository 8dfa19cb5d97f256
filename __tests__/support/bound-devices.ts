import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { hashSecret } from '../../lib/base/secret.js'
import {
  type AuthenticatedClient,
  authenticateClient,
} from '../../lib/clients/authentication/authenticate.js'
import { BIND_SCOPE } from '../../lib/clients/scopes.js'
import { type PublicJwk, publicJwk } from '../../lib/jose/jwk.js'
import type { Client } from '../../lib/ports/client.js'
import type { Deployment } from '../../lib/ports/deployment.js'
import { bindKey } from '../../lib/redemption/actions/bind.js'
import { ASSERTION_TYPE, signAssertion } from './client-assertion.js'
import { compact } from './compact.js'
import {
  CLIENT,
  type Deployed,
  ISSUER,
  issueKey,
  parameters,
  request,
  SECRET,
  verifyBearerKey,
} from './deployed.js'

export const CONFIRM_SECONDS = 60

/** The client that asks for the keys of the devices. */
export const FLEET: Client = {
  clientId: CLIENT,
  revision: 1,
  secretHash: hashSecret(SECRET),
  authenticationMethods: ['client_secret_basic', 'client_secret_post'],
  policy: {
    scopes: [BIND_SCOPE, 'devices:read'],
    subjects: ['device:*'],
    confirmWithinSeconds: CONFIRM_SECONDS,
  },
}

export interface Device {
  readonly clientId: string
  readonly bindingId: string
  /** The private key in PEM, so that another process can have it. */
  readonly privateKey: string
  readonly jwk: PublicJwk
}

/** Binds a new key to a device. */
export async function bindDevice(
  given: Pick<Deployed, 'deployment' | 'clock'>,
  clientId: string,
): Promise<Device> {
  const { key, record } = await issueKey(given, { scope: BIND_SCOPE, requested_subject: clientId })
  const verified = await verifyBearerKey(given, key, BIND_SCOPE)
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const endpoint = `${ISSUER}/oauth/bind`
  const claims = { aud: endpoint, key_id: record.jti, iat: given.clock.seconds }
  const proof = compact({ alg: 'ES256', typ: 'provisioning-binding+jwt' }, claims, privateKey, 'ES256')
  const jwk = publicJwk(publicKey)
  const { binding_id: bindingId } = await bindKey(given.deployment, verified, {
    body: { jwk, proof },
    endpoint,
  })
  return {
    clientId,
    bindingId,
    jwk,
    privateKey: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  }
}

/** Authenticates a device with its bound key. */
export function useDevice(
  deployment: Deployment,
  { clientId, privateKey, jwk }: Device,
): Promise<AuthenticatedClient> {
  const key = { alg: 'ES256', privateKey: createPrivateKey(privateKey), jwk }
  const names = { clientId, audience: ISSUER, now: Math.floor(deployment.now() / 1000) }
  return authenticateClient(
    deployment,
    request(),
    parameters({ client_assertion: signAssertion(key, names), client_assertion_type: ASSERTION_TYPE }),
  )
}
