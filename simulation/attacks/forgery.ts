import { type KeyObject, randomBytes } from 'node:crypto'
import type { Claims } from '../../lib/jose/jws.js'
import { decodeToken, hmacWith, makeToken, newPair } from '../../lib/testing/forged-token.js'
import type { Actor } from '../actor'
import { MINUTE, SECOND } from '../world'
import { type Attack, repeat, type Stage, type Variant, withKey } from './attack'

interface Forgery {
  readonly header?: Claims
  readonly claims?: Claims
  readonly signature?: Buffer
}

/** A key with other contents. By default, the stolen signing key of the server signs it. */
function forge(genuine: string, signingKey: KeyObject, { header, claims, signature }: Forgery): string {
  const token = decodeToken(genuine)
  if (token === undefined) throw new SyntaxError(`The server gave no token, but ${genuine}`)
  const changed = { header: { ...token.header, ...header }, claims: { ...token.claims, ...claims } }
  return makeToken(changed, signature === undefined ? hmacWith(signingKey) : () => signature)
}

const newId = () => randomBytes(20).toString('base64url')

export const forgedKey: Attack = {
  rule: 'forged_key',
  variants: [
    {
      title: 'a thief sends a forged provisioning key to the API',
      run: (stage) => withForged(stage, (key) => stage.world.requests.present(stage.thief, key)),
    },
    {
      title: 'a thief exchanges a forged provisioning key for an access token',
      run: (stage) => withForged(stage, (key) => stage.world.requests.redeem(stage.thief, key)),
    },
    {
      title: 'a thief sends a forged access token to the API',
      run: (stage) =>
        withKey(stage, 0, async (key) => {
          const { requests, signingKey } = stage.world
          const { token } = await requests.redeem(stage.owner, key)
          const claims = { jti: newId(), key_id: newId() }
          await requests.present(stage.thief, forge(token ?? '', signingKey, { claims }), { path: '/api' })
        }),
    },
  ],
}

function withForged(stage: Stage, use: (key: string) => unknown): void {
  withKey(stage, 0, (key) => use(forge(key, stage.world.signingKey, { claims: { jti: newId() } })))
}

/** One address sends keys with forged headers or signatures. */
function forgeOften(title: string, count: number, interval: number, forgeries: readonly Forgery[]): Variant {
  return {
    title,
    run(stage) {
      const { requests, timeline, signingKey } = stage.world
      withKey(stage, 0, (key) =>
        repeat(count, interval, (at, i) =>
          timeline.after(at, () =>
            requests.present(stage.thief, forge(key, signingKey, forgeries[i % forgeries.length] ?? {})),
          ),
        ),
      )
    },
  }
}

export const algorithmTricks: Attack = {
  rule: 'algorithm_tricks',
  variants: [
    forgeOften('the tokens have the algorithms none and HS512', 20, SECOND, [
      { header: { alg: 'none' }, signature: Buffer.alloc(0) },
      { header: { alg: 'HS512' } },
    ]),
    forgeOften('the tokens have wrong signatures, and one comes every four minutes', 40, 4 * MINUTE, [
      { signature: randomBytes(20) },
    ]),
    forgeOften('the tokens name unknown signing keys, or a URL with keys of the attacker', 20, 20 * SECOND, [
      { header: { kid: 'unknown' } },
      { header: { jku: 'https://evil.example/jwks' } },
    ]),
  ],
}

/** Requests over plain HTTP that claim to have come over HTTPS. */
function claimHttps(title: string, count: number, interval: number, path: string): Variant {
  return {
    title,
    run({ world, thief, at }) {
      const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '10.0.0.1' }
      repeat(count, interval, (milliseconds) =>
        at(milliseconds, () =>
          world.requests.send(thief, { method: 'POST', path, headers, isCleartext: true }),
        ),
      )
    },
  }
}

export const spoofedProxy: Attack = {
  rule: 'spoofed_proxy',
  variants: [
    claimHttps('a stranger sends 20 requests, one each second', 20, SECOND, '/oauth/token'),
    claimHttps('a stranger sends one request every eight minutes', 20, 8 * MINUTE, '/oauth/token'),
    claimHttps('a stranger sends requests to another endpoint', 10, 30 * SECOND, '/oauth/introspect'),
  ],
}

/** A client uses its registration access token at the address of another client. */
function misuse(title: string, method: string, who: (stage: Stage) => Actor): Variant {
  const [own, other] = [`device:own-${method}`, `device:other-${method}`]
  return {
    title,
    subject: () => `client:${own}`,
    run(stage) {
      const { requests } = stage.world
      let token = ''
      withKey(
        stage,
        0,
        async (key) => {
          const { body } = await requests.register(stage.owner, key)
          token = String(body['registration_access_token'])
        },
        { form: { requested_subject: own } },
      )
      withKey(
        stage,
        SECOND,
        async (key) => {
          await requests.register(stage.owner, key)
          const json = method === 'PUT' ? JSON.stringify({ client_id: other, client_name: 'Mine' }) : ''
          const path = `/oauth/register/${encodeURIComponent(other)}`
          await requests.present(who(stage), token, { method, path, json })
        },
        { form: { requested_subject: other } },
      )
    },
  }
}

export const misusedRegistrationToken: Attack = {
  rule: 'misused_registration_token',
  variants: [
    misuse('a thief reads the other client', 'GET', ({ thief }) => thief),
    misuse('a thief changes the other client', 'PUT', ({ thief }) => thief),
    misuse('somebody on the usual network deletes the other client', 'DELETE', ({ owner }) => owner),
  ],
}

/** A device whose clock is wrong sends a DPoP proof. */
function wrongClock(title: string, count: number, interval: number, skewOf: (i: number) => number): Variant {
  return {
    title,
    run({ world, from, at }) {
      repeat(count, interval, (milliseconds, i) =>
        at(milliseconds, () => world.requests.ask({ ...from(i), dpop: newPair(), skewSeconds: skewOf(i) })),
      )
    },
  }
}

export const skewedClocks: Attack = {
  rule: 'skewed_clocks',
  variants: [
    wrongClock(
      'the clocks of 30 devices are five minutes slow, and all devices send a proof within a minute',
      30,
      2 * SECOND,
      () => -300,
    ),
    wrongClock(
      'the clocks of 30 devices are ten minutes fast, and all devices send a proof within ten minutes',
      30,
      20 * SECOND,
      () => 600,
    ),
    wrongClock(
      'the clocks of 60 devices are wrong, each by another time, and all devices send a proof within an hour',
      60,
      MINUTE,
      (i) => -120 - 60 * i,
    ),
  ],
}
