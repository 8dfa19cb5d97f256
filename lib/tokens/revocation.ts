import { ProvisioningError } from '../base/errors.js'
import type { Parameters } from '../base/request.js'
import type { AuthenticatedClient } from '../clients/authentication/authenticate.js'
import { loadKey } from '../jose/jwt.js'
import { callStore, type Deployment, numericDate, type VerifyingDeployment } from '../ports/deployment.js'
import type { KeyRef, ProvisioningStore, RevokeFamilyOutcome, RevokeOutcome } from '../ports/store.js'
import { ACCESS_TOKEN, familyOf } from './access-token.js'
import { verifyGenuine } from './issued-token.js'
import { PROVISIONING_KEY } from './provisioning-key.js'
import { readTokenReference, requireToken } from './token-reference.js'

/** Revokes one of the client's keys or tokens. What is unknown or not its own is left alone, silently (RFC 7009 2.2). */
export type Revoke = (client: AuthenticatedClient, parameters: Parameters) => Promise<void>

export function revoker(deployment: Deployment): Revoke {
  return async function revoke(client, parameters) {
    // Who may know of others' tokens may not revoke them.
    const caller = { clientId: client.clientId, audiences: [] }
    const reference = readTokenReference(deployment, requireToken(parameters), caller)
    if (reference?.kind === 'key') await revokeKey(deployment, reference.ref)
    if (reference?.kind === 'access_token') await revokeTokens(deployment, reference.ref)
  }
}

/** Revokes a key that is not redeemed yet. */
export async function revokeKey(deployment: Deployment, ref: KeyRef): Promise<RevokeOutcome> {
  const outcome = await callStore(() => deployment.store.revoke(ref))
  if (outcome === 'revoked') deployment.emit('key.revoked', { keyId: ref.jti, clientId: ref.clientId })
  return outcome
}

async function revokeTokens(deployment: Deployment, ref: KeyRef): Promise<void> {
  const outcome = await callStore(() => deployment.store.revokeFamily(ref))
  if (outcome === 'revoked') deployment.emit('token.revoked', { keyId: ref.jti, clientId: ref.clientId })
}

/** Revokes whatever genuine key or access token is among texts that travelled in clear. Never throws: nobody waits. */
export type RevokeExposed = (texts: readonly string[], address: string | undefined) => Promise<void>

/** Revokes what is no JWT but a credential all the same. */
export type RevokeOther = (text: string, address: string | undefined) => Promise<void>

/**
 * Whether an observer can use a copy. Nobody but the owner can use a bound key or token. If a copy revoked it, anybody
 * with a copy could take it from its owner.
 */
function isBearer({ cnf }: { readonly cnf?: unknown }): boolean {
  return cnf === undefined
}

export function exposureRevoker(
  deployment: VerifyingDeployment,
  revokeOther: RevokeOther = async () => undefined,
): RevokeExposed {
  // One whose time is over can do no harm any more, and must not be good for alarms for ever.
  const isOver = ({ exp }: { readonly exp: number }) =>
    numericDate(deployment) >= exp + deployment.clockToleranceSeconds
  // Who only asks the issuer how a key stands cannot revoke it: the event says so, and the operator has to.
  const store = 'askIssuer' in deployment ? undefined : deployment.store
  const didRevoke = async (
    revoke: (store: ProvisioningStore) => Promise<RevokeOutcome | RevokeFamilyOutcome>,
  ) =>
    store !== undefined &&
    callStore(() => revoke(store)).then(
      (outcome) => outcome === 'revoked',
      () => false,
    )

  async function revokeKeyIn(text: string, address: string | undefined): Promise<void> {
    const claims = verifyGenuine(deployment, PROVISIONING_KEY, text)
    if (isOver(claims)) return
    const { client_id: clientId, jti } = claims
    const revoked = isBearer(claims) && (await didRevoke((kept) => kept.revoke({ clientId, jti })))
    deployment.emit('key.exposed', { keyId: jti, clientId, address, revoked })
  }

  async function revokeTokenIn(text: string, address: string | undefined): Promise<void> {
    const claims = verifyGenuine(deployment, ACCESS_TOKEN, text)
    if (isOver(claims)) return
    const { clientId, jti: keyId } = familyOf(claims)
    const revoked =
      isBearer(claims) && (await didRevoke((kept) => kept.revokeFamily({ clientId, jti: keyId })))
    deployment.emit('token.exposed', { keyId, clientId, tokenId: claims.jti, address, revoked })
  }

  return async function revokeExposed(texts, address) {
    for (const text of texts) {
      await loadKey(deployment.keyRing, text)?.catch(() => undefined)
      for (const revokeIn of [revokeKeyIn, revokeTokenIn, revokeOther]) {
        await revokeIn(text, address).catch((error) => {
          if (!(error instanceof ProvisioningError)) throw error
        })
      }
    }
  }
}
