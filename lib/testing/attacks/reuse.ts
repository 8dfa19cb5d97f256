import type { TestDpopKey } from '../dpop-key.js'
import type { Credential, Target } from './target.js'

const CONCURRENT = 8

/** Presents a key that was redeemed. The owner of a bound key may repeat its request, so a bound key comes with another request. */
export async function replay(target: Target): Promise<void> {
  const credential = await target.credential()
  await target.requireSuccess(credential)
  const changed = credential.dpop === undefined ? {} : { query: 'replay=1' }
  const answer = await target.send({ headers: await target.headersFor(credential), ...changed })
  target.requireRefusal(answer, `the same key twice. Guard it with ${target.guard}`)
}

/** Presents one key in several requests that run together. Exactly one may have success. As above, those of an owner differ. */
export async function race(target: Target): Promise<void> {
  const credential = await target.credential()
  const once = async (_: unknown, index: number) => {
    const changed = credential.dpop === undefined ? {} : { query: `race=${index}` }
    return target.send({ headers: await target.headersFor(credential), ...changed })
  }
  const answers = await Promise.all(Array.from({ length: CONCURRENT }, once))
  const successes = answers.filter((answer) => target.isSuccess(answer)).length
  if (successes === 1) return
  const advice = `Expected one. Guard it with ${target.guard}, and let all processes share one store`
  target.fail(`accepted one key in ${successes} of ${CONCURRENT} requests together. ${advice}`)
}

/** A thief has the key, but not the DPoP key that it is bound to (RFC 9449 2). */
export async function dpopOtherKey(target: Target): Promise<void> {
  const { token } = await bound(target)
  const thief = { token, dpop: await target.kit.dpopKey() }
  await refuse(target, await target.headersFor(thief), 'with a proof of another DPoP key')
}

/** RFC 9449 7.1: never as Bearer. */
export async function dpopAsBearer(target: Target): Promise<void> {
  const { token } = await bound(target)
  await refuse(target, { Authorization: `Bearer ${token}` }, 'without a proof, as Bearer')
}

export async function dpopWithoutProof(target: Target): Promise<void> {
  const { token } = await bound(target)
  await refuse(target, { Authorization: `DPoP ${token}` }, 'without a proof')
}

/** RFC 9449 11.1: a proof works once. */
export async function dpopReplayedProof(target: Target): Promise<void> {
  const credential = await bound(target)
  const headers = await target.headersFor(credential)
  await target.send({ headers })
  await refuse(target, headers, 'with a proof that was used before')
}

/** RFC 9449 4.3: a proof for another method or another URL is no proof for this request. */
export async function dpopOtherTarget(target: Target): Promise<void> {
  const { token, dpop } = await bound(target)
  const { method, path } = target.route
  const elsewhere = [
    { method: method === 'GET' ? 'POST' : 'GET', url: path },
    { method, url: '/somewhere-else' },
    { method, url: 'https://attacker.example/' },
  ]
  for (const place of elsewhere)
    await refuse(target, await dpop.headers({ ...place, token }), 'with a proof for another method or URL')
}

async function bound(target: Target): Promise<Credential & { dpop: TestDpopKey }> {
  const dpop = await target.kit.dpopKey()
  return { ...(await target.credential({ dpop })), dpop }
}

async function refuse(target: Target, headers: Record<string, string>, how: string): Promise<void> {
  const noun = target.isForKeys ? 'a bound key' : 'a bound access token'
  const accepted = `${noun} ${how}. Guard it with ${target.guard}, and let no other middleware answer before it`
  target.requireRefusal(await target.send({ headers }), accepted)
}
