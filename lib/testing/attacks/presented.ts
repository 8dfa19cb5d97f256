import { randomBytes } from 'node:crypto'
import { captureOutput } from '../captured-output.js'
import {
  partsOf,
  signedByOthers,
  signedWithPublicKeys,
  unsigned,
  withOtherClaims,
  withOwnKey,
} from '../forged-token.js'
import type { Credential, Target } from './target.js'

/** Replaces a genuine token by others, in requests that are right otherwise. Each must be refused. */
async function present(
  target: Target,
  tokensFor: (genuine: string) => readonly string[],
  accepted: string,
): Promise<void> {
  const { token: genuine, dpop } = await target.credential()
  for (const token of tokensFor(genuine))
    target.requireRefusal(await target.send({ headers: await target.headersFor({ token, dpop }) }), accepted)
}

/** Sends a genuine token that must be refused here. */
async function presentGenuine(target: Target, terms: object, accepted: string): Promise<void> {
  const credential = await target.credential(terms)
  const answer = await target.send({ headers: await target.headersFor(credential) })
  target.requireRefusal(answer, accepted)
}

const noun = ({ isForKeys }: Target) => (isForKeys ? 'a key' : 'an access token')

/** No credential, or none of this server. */
export async function withoutCredential(target: Target): Promise<void> {
  target.requireRefusal(
    await target.send({}),
    `a request without ${noun(target)}. Put ${target.guard} before the handler`,
  )
}

export async function garbage(target: Target): Promise<void> {
  const tokens = [randomBytes(24).toString('base64url'), 'undefined', 'null']
  await present(target, () => tokens, `a made-up text. Put ${target.guard} before the handler`)
}

export async function expired(target: Target): Promise<void> {
  if (!target.kit.isMovable)
    target.fail('needs the clock of the app: give `clock` to testKit(), and its `now` to the app')
  await presentGenuine(target, { expired: true }, `${noun(target)} that had expired. ${DO_NOT_READ}`)
}

export async function revoked(target: Target): Promise<void> {
  const accepted = `${noun(target)} that was revoked. ${DO_NOT_READ}`
  await presentGenuine(target, { revoked: true }, accepted)
}

export async function wrongScope(target: Target): Promise<void> {
  const { scope, otherScope } = target.route
  const demanded = typeof scope === 'string' ? scope.split(' ') : scope
  const { scopes } = await target.kit.issuance.endpoints()
  const others = scopes.filter((one) => !demanded.includes(one) && !one.startsWith('provision:'))
  const other = otherScope ?? others[0] ?? scopes.find((one) => !demanded.includes(one))
  if (other === undefined)
    target.fail('needs `otherScope`: a scope that the client may have, and that the route does not accept')
  const accepted = `${noun(target)} with the scope ${other} only. Guard it with ${target.guard}, without anyScope`
  await presentGenuine(target, { scope: other }, accepted)
}

export async function wrongAudience(target: Target): Promise<void> {
  const { otherAudience } = target.route
  if (otherAudience === undefined)
    target.fail('needs `otherAudience`: another audience that the client may ask for')
  const accepted = `${noun(target)} for ${otherAudience}. Set \`audience\` in the options of the guard`
  await presentGenuine(target, { resource: otherAudience }, accepted)
}

/** A key that the app should exchange first. */
export async function wrongKind(target: Target): Promise<void> {
  const credential = await target.credential({}, !target.isForKeys)
  const other = target.isForKeys ? 'an access token' : 'a provisioning key'
  const accepted = `${other} in place of ${noun(target)}. Guard it with ${target.guard}`
  target.requireRefusal(await target.send({ headers: await target.headersFor(credential) }), accepted)
}

const DO_NOT_READ = 'Let a guard of this library verify it, and do not only read its claims'

export async function forgedSignature(target: Target): Promise<void> {
  await present(target, signedByOthers, `${noun(target)} with a forged signature. ${DO_NOT_READ}`)
}

export async function embeddedKey(target: Target): Promise<void> {
  const accepted = `${noun(target)} that is signed with the public key in its own header. ${DO_NOT_READ}`
  await present(target, (token) => [withOwnKey(token)], accepted)
}

export async function publicKeyAsSecret(target: Target): Promise<void> {
  const jwks = await target.kit.issuance.jwks()
  const accepted = `${noun(target)} with an HMAC of a public key. ${DO_NOT_READ}`
  await present(target, (token) => signedWithPublicKeys(partsOf(token), jwks), accepted)
}

export async function algNone(target: Target): Promise<void> {
  await present(target, (token) => unsigned(partsOf(token)), `${noun(target)} with alg none. ${DO_NOT_READ}`)
}

export async function changedClaims(target: Target): Promise<void> {
  const accepted = `${noun(target)} whose claims were changed. ${DO_NOT_READ}`
  await present(target, (token) => [withOtherClaims(token)], accepted)
}

/** The headers of an honest request, without the header Authorization. */
async function otherHeadersFor(target: Target, credential: Credential): Promise<Record<string, string>> {
  const { Authorization: _, ...others } = await target.headersFor(credential)
  return others
}

/** RFC 9700 2.4: a URL gets into logs and histories. */
export async function inQuery(target: Target): Promise<void> {
  const credential = await target.credential()
  const query = `access_token=${credential.token}`
  const accepted = `${noun(target)} in the query string. Accept it in the header Authorization only`
  const alone = { query, headers: await otherHeadersFor(target, credential) }
  target.requireRefusal(await target.send(alone), accepted)
  const both = { query, headers: await target.headersFor(credential) }
  target.requireRefusal(
    await target.send(both),
    `${accepted}. The guard must run before other middlewares answer`,
  )
}

export async function inBody(target: Target): Promise<void> {
  const credential = await target.credential()
  const others = await otherHeadersFor(target, credential)
  const headers = { ...others, 'Content-Type': 'application/x-www-form-urlencoded' }
  const answer = await target.send({ headers, body: `access_token=${credential.token}` })
  target.requireRefusal(answer, `${noun(target)} in the body. Accept it in the header Authorization only`)
}

export async function cleartext(target: Target): Promise<void> {
  const credential = await target.credential()
  const { issuer } = await target.kit.issuance.endpoints()
  // A local deployment accepts plain HTTP of this machine, but not through a proxy.
  const ofProxy: Record<string, string> = issuer.startsWith('http:') ? { 'X-Forwarded-Proto': 'http' } : {}
  const headers = { ...(await target.headersFor(credential)), ...ofProxy }
  const accepted = `${noun(target)} over plain HTTP. Put keys.enforceHttps() or the guard before the handler`
  target.requireRefusal(await target.send({ headers, isCleartext: true }), accepted)
}

/** Sends an honest request, a refused one and a broken one, and searches what the app prints meanwhile. */
export async function printed(target: Target): Promise<void> {
  const credential = await target.credential()
  const output = captureOutput()
  let texts: readonly string[]
  try {
    await target.send({ headers: await target.headersFor(credential) })
    await target.send({ headers: await target.headersFor(credential) })
    const headers = { 'Content-Type': 'application/json', ...(await target.headersFor(credential)) }
    await target.send({ headers, body: '{"broken' })
    await target.send({ query: `access_token=${credential.token}` })
  } finally {
    texts = output.release()
  }
  const exposure = target.kit.exposure(texts)
  if (exposure !== undefined) target.fail(`printed a secret. ${exposure}`)
}
