import { isObject, parseObject } from '../base/object.js'
import { ProvisionError } from './failure.js'

/** What the client reads in a provisioning key, without checking its signature. */
export interface ProvisioningKey {
  readonly token: string
  readonly issuer: string
  /** The claim `jti`. */
  readonly keyId: string
  /** The identity that the key is for. */
  readonly subject: string
  /** NumericDate. */
  readonly expiresAt: number
  /** The thumbprint of the DPoP key that the key is bound to. */
  readonly jkt?: string
}

/** @throws ProvisionError `key_malformed` */
export function readProvisioningKey(text: string): ProvisioningKey {
  const token = text.trim()
  const [header, claims] = token.split('.').map(readJson)
  const { iss, jti, sub, exp, cnf } = claims ?? {}
  const isKey =
    /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token) &&
    header?.['typ'] === 'provisioning-key+jwt' &&
    typeof iss === 'string' &&
    typeof jti === 'string' &&
    typeof sub === 'string' &&
    typeof exp === 'number'
  if (!isKey)
    throw new ProvisionError(
      'key_malformed',
      `key: expected a provisioning key (a JWT of the type provisioning-key+jwt), got ${token === '' ? 'nothing' : `${token.length} other characters`}`,
    )
  const jkt = isObject(cnf) ? cnf['jkt'] : undefined
  return {
    token,
    issuer: iss,
    keyId: jti,
    subject: sub,
    expiresAt: exp,
    ...(typeof jkt === 'string' && { jkt }),
  }
}

/** Whether a value has the form of a provisioning key. */
export function isProvisioningKey(value: unknown): boolean {
  try {
    return typeof value === 'string' && readProvisioningKey(value).token === value
  } catch {
    return false
  }
}

/** The claims of any JWT, without checking its signature. */
export function claimsOf(token: string): Record<string, unknown> | undefined {
  return readJson(token.split('.')[1] ?? '')
}

function readJson(part: string): Record<string, unknown> | undefined {
  try {
    const binary = atob(part.replaceAll('-', '+').replaceAll('_', '/'))
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
    return parseObject(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}

/**
 * Checks a key before anything is sent, so that no other server ever sees it.
 *
 * @throws ProvisionError `key_of_other_issuer`, `key_expired`
 */
export function requireUsable(key: ProvisioningKey, issuer: string, now: number): void {
  if (key.issuer !== issuer)
    throw new ProvisionError(
      'key_of_other_issuer',
      `key: expected a key of ${issuer}, got one of ${key.issuer.slice(0, 200)}`,
    )
  if (key.expiresAt <= now)
    throw new ProvisionError(
      'key_expired',
      `The key ${key.keyId} expired ${now - key.expiresAt} seconds ago, by the clock of the issuer. Get a new key.`,
    )
}
