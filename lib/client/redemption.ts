import { EXCHANGE_GRANT, JWT_TOKEN_TYPE } from '../base/oauth-names.js'
import { isObject } from '../base/object.js'
import { invalidAnswer } from './connection.js'
import { isOutage, ProvisionError } from './failure.js'
import type { Issuer } from './issuer.js'
import type { Settings } from './options.js'
import type { Patience } from './patience.js'
import { claimsOf, type ProvisioningKey, readProvisioningKey } from './provisioning-key.js'
import type { Signer } from './signer.js'
import type { Attempt, Result, SavedKeyPair } from './state.js'

const FORM = 'application/x-www-form-urlencoded'

/** The request that redeems a key. It is the same each time that it is sent, except for its proof. */
export function newAttempt(
  issuer: Issuer,
  settings: Settings,
  {
    key,
    pair,
    signer,
  }: { readonly key: ProvisioningKey; readonly pair: SavedKeyPair; readonly signer: Signer },
): Attempt {
  const saved = { ...pair, key: key.token }
  switch (settings.action) {
    case 'token': {
      const url = issuer.endpoint('token_endpoint')
      return { ...saved, url, contentType: FORM, body: exchangeForm(key, settings) }
    }
    case 'bind':
      // The key of the DPoP proof is bound, so the request needs no body.
      return { ...saved, url: issuer.endpoint('provisioning_binding_endpoint') }
    case 'register': {
      const url = issuer.endpoint('registration_endpoint')
      return { ...saved, url, contentType: 'application/json', body: registration(settings, signer) }
    }
  }
}

/** The form of an exchange (RFC 8693 2.1). */
export function exchangeForm(
  key: ProvisioningKey,
  { scope, resource }: Pick<Settings, 'scope' | 'resource'>,
): string {
  const form = new URLSearchParams({
    grant_type: EXCHANGE_GRANT,
    subject_token: key.token,
    subject_token_type: JWT_TOKEN_TYPE,
  })
  if (scope !== undefined) form.set('scope', scope)
  if (resource !== undefined) form.set('resource', resource)
  return String(form)
}

function registration({ metadata }: Settings, { publicJwk }: Signer): string {
  const usesKeyPair = (metadata?.['token_endpoint_auth_method'] ?? 'private_key_jwt') === 'private_key_jwt'
  const own = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [publicJwk] } }
  return JSON.stringify({ ...(usesKeyPair && own), ...metadata })
}

/**
 * Sends the request of an attempt, and reads the answer.
 *
 * @throws ProvisionError
 */
export async function redeem(
  issuer: Issuer,
  settings: Settings,
  {
    attempt,
    signer,
    patience,
  }: { readonly attempt: Attempt; readonly signer: Signer; readonly patience: Patience },
): Promise<Result> {
  const key = readProvisioningKey(attempt.key)
  const isToken = settings.action === 'token'
  const headers = {
    ...(attempt.contentType !== undefined && { 'Content-Type': attempt.contentType }),
    ...(!isToken && { Authorization: `${key.jkt === undefined ? 'Bearer' : 'DPoP'} ${key.token}` }),
  }
  const { url, body } = attempt
  const response = await issuer.post(
    { url, headers, body, signer, ...(!isToken && { token: key.token }) },
    patience,
  )
  const answer = await response.clone().text()
  const facts = await ANSWERS[settings.action](issuer, response, { key, pair: attempt })
  return { ...resultFor(attempt, key, issuer), answer, ...facts }
}

function resultFor({ privateKey, thumbprint }: SavedKeyPair, { keyId }: ProvisioningKey, issuer: Issuer) {
  return { ...(privateKey && { privateKey }), thumbprint, keyId, completedAt: issuer.now }
}

type ReadAnswer = (
  issuer: Issuer,
  response: Response,
  redeemed: { readonly key: ProvisioningKey; readonly pair: SavedKeyPair },
) => Promise<Pick<Result, 'clientId' | 'expiresAt' | 'confirmBy'>>

const ANSWERS: Record<Settings['action'], ReadAnswer> = {
  async token(issuer, response, { key }) {
    const { access_token: token, expires_in: seconds } = await issuer.readToken(response, key.subject)
    const expiresAt = endOf(token, seconds, issuer.now)
    return { clientId: key.subject, ...(expiresAt !== undefined && { expiresAt }) }
  },
  async bind(_, response, { pair }) {
    const url = 'The endpoint bind'
    const answer: unknown = await response.json().catch(() => undefined)
    if (!isObject(answer) || typeof answer['client_id'] !== 'string')
      throw invalidAnswer(url, 'with no client_id', response.status)
    if (!isBoundTo(answer, pair)) throw invalidAnswer(url, 'with a binding for another key', response.status)
    return { clientId: answer['client_id'], ...deadlineOf(answer) }
  },
  async register(issuer, response) {
    const answer = await issuer.readRegistration(response)
    return { clientId: answer.client_id, ...deadlineOf(answer) }
  },
}

function deadlineOf(answer: { readonly [member: string]: unknown }): Pick<Result, 'confirmBy'> {
  const { confirm_by: confirmBy } = answer
  return Number.isSafeInteger(confirmBy) ? { confirmBy: Number(confirmBy) } : {}
}

/**
 * Uses a new binding or a new registration, so that the issuer keeps it. It can be used any number of times.
 *
 * @throws ProvisionError `enrollment_undone`
 */
export async function confirm(
  issuer: Issuer,
  { clientId, answer }: Result,
  { signer, patience }: { readonly signer: Signer; readonly patience: Patience },
): Promise<void> {
  const { registration_client_uri: url, registration_access_token: token } = JSON.parse(answer)
  try {
    // Each registered client can read its registration, however it authenticates.
    if (typeof url === 'string') await issuer.readWith(String(token), url, patience)
    else await issuer.postAs({ clientId, signer }, 'provisioning_bindings_endpoint', patience)
  } catch (error) {
    const { oauthError = '', status } = error instanceof ProvisionError ? error : {}
    if (!['invalid_client', 'invalid_token'].includes(oauthError)) throw error
    const message = `The issuer has undone the enrollment of ${clientId}, because the device did not confirm it in time. Get a new key.`
    throw new ProvisionError('enrollment_undone', message, { cause: error, status, oauthError })
  }
}

/** A repeated answer has the `expires_in` of the first one. So the `exp` of the token counts, if it has one. */
export function endOf(token: string, expiresIn: number | undefined, now: number): number | undefined {
  const exp = claimsOf(token)?.['exp']
  // It may have a fraction (RFC 7519 2).
  if (typeof exp === 'number') return Math.floor(exp)
  return expiresIn === undefined ? undefined : now + Math.floor(expiresIn)
}

function isBoundTo({ cnf }: Record<string, unknown>, { thumbprint }: SavedKeyPair): boolean {
  return isObject(cnf) && cnf['jkt'] === thumbprint
}

/** Errors of a request that did not redeem the key: a corrected request can still redeem it. */
const LEAVES_KEY: readonly string[] = [
  'invalid_scope',
  'invalid_target',
  'insufficient_scope',
  'invalid_client_metadata',
  'invalid_redirect_uri',
  'invalid_software_statement',
  'unapproved_software_statement',
]

export function leavesKey({ oauthError = '' }: ProvisionError): boolean {
  return LEAVES_KEY.includes(oauthError)
}

/**
 * Looks whether the key pair of an attempt is bound or registered, although its key is refused: the answer was lost, and the
 * issuer does not have it any more. The answer to a registration had secrets, which cannot be found.
 *
 * @throws ProvisionError if the issuer does not answer
 */
export async function findResult(
  issuer: Issuer,
  action: 'bind' | 'register',
  {
    attempt,
    signer,
    patience,
  }: { readonly attempt: Attempt; readonly signer: Signer; readonly patience: Patience },
): Promise<Result | undefined> {
  const key = readProvisioningKey(attempt.key)
  const { subject: clientId } = key
  try {
    const response = await issuer.postAs({ clientId, signer }, 'provisioning_bindings_endpoint', patience)
    const { bindings } = (await response.json()) as { readonly bindings: readonly Record<string, unknown>[] }
    const binding = action === 'register' ? {} : bindings.find((one) => isBoundTo(one, attempt))
    const answer = binding && JSON.stringify({ client_id: clientId, ...binding })
    return answer === undefined ? undefined : { ...resultFor(attempt, key, issuer), clientId, answer }
  } catch (error) {
    if (isOutage(error)) throw error
    return undefined
  }
}
