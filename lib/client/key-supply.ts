import { oneLine, ProvisionError } from './failure.js'
import type { Authentication, Issuer, KeyRequest } from './issuer.js'
import { readSecret, type SecretSource, type Settings } from './options.js'
import type { Patience } from './patience.js'
import { type ProvisioningKey, readProvisioningKey, requireUsable } from './provisioning-key.js'
import type { Signer } from './signer.js'

/** The scope of a key for another key pair. */
const RENEWAL_SCOPE = 'provision:bind'

/** The circumstances of a new key. */
export interface KeyDemand {
  readonly issuer: Issuer
  readonly patience: Patience
  /** The key pair that the key is for. */
  readonly signer: Signer
  /** The identity that renews its binding. It needs no other credentials. */
  readonly self?: Authentication | undefined
  /** The `jti` of a key that has been redeemed already. */
  readonly redeemedKeyId?: string | undefined
  /** A key that leads to nothing any more, and why. */
  readonly refused?: { readonly keyId: string; readonly error: ProvisionError } | undefined
}

/**
 * Gets a provisioning key, and checks it before anything is sent.
 *
 * @throws ProvisionError
 */
export async function obtainKey(settings: Settings, demand: KeyDemand): Promise<ProvisioningKey> {
  const { self, issuer, signer, patience } = demand
  const key = await (self === undefined
    ? givenKey(settings, demand)
    : requestOwnKey(settings, self, { issuer, signer, patience, scope: RENEWAL_SCOPE }))
  requireUsable(key, issuer.identifier, issuer.now)
  return key
}

/**
 * Asks for a key as the device itself. If the issuer does not know the device any more, or the device lacks a scope, the
 * error says what to do: `provision()` alone would find the state, and never read a new key.
 *
 * @throws ProvisionError
 */
export async function requestOwnKey(
  { state }: Settings,
  self: Authentication,
  { issuer, ...request }: KeyRequest & Pick<KeyDemand, 'issuer' | 'signer' | 'patience'>,
): Promise<ProvisioningKey> {
  try {
    return await issuer.requestKey(self, request)
  } catch (error) {
    const cause = error instanceof ProvisionError ? causeOf(error.oauthError, request.scope) : undefined
    if (cause === undefined) throw error
    const saved = state?.location === undefined ? 'the saved state' : `the saved state ${state.location}`
    const remedy = `If ${cause}, delete ${saved}, and provision again with a new key.`
    throw new ProvisionError('refused', `${oneLine(error)} ${remedy}`, error as ProvisionError)
  }
}

function causeOf(oauthError: string | undefined, scope: string): string | undefined {
  if (oauthError === 'invalid_client') return 'the issuer has deleted this client or its public key'
  return oauthError === 'invalid_scope' ? `the key of this device did not have all of ${scope}` : undefined
}

async function givenKey(settings: Settings, demand: KeyDemand): Promise<ProvisioningKey> {
  const { client, subject, resource } = settings
  const { issuer, signer, patience } = demand
  if (client !== undefined) {
    const { id: clientId } = client
    const authentication =
      'signer' in client
        ? { clientId, signer: client.signer }
        : { clientId, secret: await readCredential(client.secret, 'client.secret') }
    return issuer.requestKey(authentication, {
      signer,
      patience,
      scope: scopeOf(settings),
      subject,
      resource,
    })
  }
  const key = readProvisioningKey(await readCredential(settings.key ?? '', 'key'))
  if (key.keyId === demand.refused?.keyId) throw demand.refused.error
  if (key.keyId === demand.redeemedKeyId) {
    const message = `The saved access token has ended, and the key ${key.keyId} was redeemed for it. Get a new key.`
    throw new ProvisionError('key_redeemed', message)
  }
  return key
}

/** The scope of the key: what the action needs, and what the access tokens need later. */
function scopeOf({ action, scope }: Settings): string {
  const own = [
    `provision:${action}`,
    ...(action === 'token' || scope === undefined ? [] : ['provision:token']),
  ]
  return [...new Set([...own, ...(scope?.split(' ') ?? [])])].join(' ')
}

/**
 * @param name the option that the credential comes from
 * @throws ProvisionError `key_unavailable`
 */
export async function readCredential(source: SecretSource, name: string): Promise<string> {
  let secret: unknown
  try {
    secret = await readSecret(source)
  } catch (cause) {
    throw new ProvisionError('key_unavailable', `${name} could not be read: ${oneLine(cause)}`, { cause })
  }
  if (typeof secret === 'string' && secret.trim() !== '') return secret.trim()
  throw new ProvisionError('key_unavailable', `${name}: expected a text that is not empty, got nothing`)
}
