import { randomBytes } from 'node:crypto'
import { captureOutput } from '../captured-output.js'
import { decodeToken, FORGERIES, type Forge } from '../forged-token.js'
import type { Credential, Target } from './target.js'

/** Sends a token, in a request that is right otherwise. It must be refused. */
async function present(target: Target, credential: Credential, accepted: string): Promise<void> {
  target.requireRefusal(await target.send({ headers: await target.headersFor(credential) }), accepted)
}

/** An attack with tokens that are made of a genuine one. */
function forgery(forge: Forge, how: string): (target: Target) => Promise<void> {
  return async (target) => {
    const { token: genuine, dpop } = await target.credential()
    const decoded = decodeToken(genuine)
    if (decoded === undefined) throw new SyntaxError('The token is no JWT.')
    for (const token of forge(decoded, await target.kit.issuance.jwks()))
      await present(target, { token, dpop }, `${noun(target)} ${how}. ${DO_NOT_READ}`)
  }
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
  const { dpop } = await target.credential()
  for (const token of [randomBytes(24).toString('base64url'), 'undefined', 'null'])
    await present(target, { token, dpop }, `a made-up text. Put ${target.guard} before the handler`)
}

export async function expired(target: Target): Promise<void> {
  if (!target.kit.isMovable)
    target.fail('needs the clock of the app: give `clock` to testKit(), and its `now` to the app')
  const accepted = `${noun(target)} that had expired. ${DO_NOT_READ}`
  await present(target, await target.credential({ expired: true }), accepted)
}

export async function revoked(target: Target): Promise<void> {
  const accepted = `${noun(target)} that was revoked. ${DO_NOT_READ}`
  await present(target, await target.credential({ revoked: true }), accepted)
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
  await present(target, await target.credential({ scope: other }), accepted)
}

export async function wrongAudience(target: Target): Promise<void> {
  const { otherAudience } = target.route
  if (otherAudience === undefined)
    target.fail('needs `otherAudience`: another audience that the client may ask for')
  const accepted = `${noun(target)} for ${otherAudience}. Set \`audience\` in the options of the guard`
  await present(target, await target.credential({ resource: otherAudience }), accepted)
}

/** A key that the app should exchange first. */
export async function wrongKind(target: Target): Promise<void> {
  const other = target.isForKeys ? 'an access token' : 'a provisioning key'
  const accepted = `${other} in place of ${noun(target)}. Guard it with ${target.guard}`
  await present(target, await target.credential({}, !target.isForKeys), accepted)
}

const DO_NOT_READ = 'Let a guard of this library verify it, and do not only read its claims'

export const forgedSignature = forgery(FORGERIES.forgedSignature, 'with a forged signature')
export const embeddedKey = forgery(
  FORGERIES.embeddedKey,
  'that is signed with the public key in its own header',
)
export const publicKeyAsSecret = forgery(FORGERIES.publicKeyAsSecret, 'with an HMAC of a public key')
export const algNone = forgery(FORGERIES.algNone, 'with alg none')
export const changedClaims = forgery(FORGERIES.changedClaims, 'whose claims were changed')

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
