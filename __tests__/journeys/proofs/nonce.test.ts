import type { ProvisioningOptions } from '../../../lib/index.js'
import { nonces } from '../../../lib/possession/dpop.js'
import { clientKey } from '../../support/client-assertion.js'
import {
  boundKey,
  presentAt,
  proofAt,
  SITES,
  startWatched,
  stateOf,
  TOKEN_TARGET,
  type WatchedServer,
} from '../../support/dpop-sites.js'
import { signProof } from '../../support/proof.js'
import { askForKey, obtainKey, send } from '../../support/requests.js'

const SECRET = 'x'.repeat(32)
const STEP = 60
const START = 1_700_000_040

const holder = clientKey()

/** A nonce of another instance, whose clock is ahead. */
function nonceOf(server: { readonly clock: Clock }, { secret = SECRET, ahead = 0 } = {}): string {
  return nonces(Buffer.from(secret), STEP, () => (server.clock.seconds + ahead) * 1000).current()
}

interface Clock {
  seconds: number
}

async function withNonces(
  test: (server: WatchedServer & { readonly clock: Clock }) => Promise<void>,
  options: Partial<ProvisioningOptions> = {},
): Promise<void> {
  const clock = { seconds: START }
  const server = await startWatched({
    now: () => clock.seconds * 1000,
    dpop: { nonceSecret: SECRET, nonceLifetimeSeconds: STEP },
    ...options,
  })
  try {
    await test({ ...server, clock })
  } finally {
    await server.close()
  }
}

describe.each(SITES)('a server that wants nonces, at $name,', (site) => {
  test('hands one out to a proof without one, spends nothing, and takes it', () =>
    withNonces(async (server) => {
      const now = server.clock.seconds
      const claims = { nonce: nonceOf(server) }
      const key = await boundKey(server, site, holder, { now, claims })
      const before = server.writes.length
      const asked = await presentAt(server, site, key, proofAt(site, holder, key, { now }))
      expect([asked.status, asked.body.error]).toEqual([site.refusal, 'use_dpop_nonce'])
      expect(asked.headers).toMatchObject({ 'dpop-nonce': nonceOf(server), 'cache-control': 'no-store' })
      if (site.refusal === 401)
        expect(asked.headers['www-authenticate']).toMatch(/^DPoP .*error="use_dpop_nonce"/)
      expect(server.events.at(-1)).toMatchObject({ reason: 'dpop_nonce_wanted', error: 'use_dpop_nonce' })
      expect(server.writes.slice(before)).toEqual([])
      expect(await stateOf(server, key)).toBe('issued')

      const nonce = String(asked.headers['dpop-nonce'])
      const taken = await presentAt(server, site, key, proofAt(site, holder, key, { now, claims: { nonce } }))
      expect(taken.status).toBe(site.success)
      expect(taken.headers['dpop-nonce']).toBe(nonce)
    }))

  test('takes no other nonce: no downgrade', () =>
    withNonces(async (server) => {
      const now = server.clock.seconds
      const good = nonceOf(server)
      const key = await boundKey(server, site, holder, { now, claims: { nonce: good } })
      const before = server.writes.length
      const wrong: unknown[] = [
        ...[undefined, null, '', 7, true, [], [good], { nonce: good }, 'made up', `${good} `, good.slice(1)],
        ...[-2, -3, 2, 3, 1000].map((steps) => nonceOf(server, { ahead: steps * STEP })),
        nonceOf(server, { secret: 'y'.repeat(32) }),
      ]
      for (const nonce of wrong) {
        const asked = await presentAt(
          server,
          site,
          key,
          proofAt(site, holder, key, { now, claims: { nonce } }),
        )
        expect([nonce, asked.status, asked.body.error]).toEqual([nonce, site.refusal, 'use_dpop_nonce'])
        expect(asked.headers['dpop-nonce']).toBe(good)
      }
      expect(server.writes.slice(before)).toEqual([])
      expect(await stateOf(server, key)).toBe('issued')
    }))

  test('answers an old nonce with a new one, and takes the last one until then', () =>
    withNonces(async (server) => {
      const old = nonceOf(server)
      const ask = async () => {
        const now = server.clock.seconds
        const key = await boundKey(server, site, holder, { now, claims: { nonce: nonceOf(server) } })
        return presentAt(server, site, key, proofAt(site, holder, key, { now, claims: { nonce: old } }))
      }
      server.clock.seconds = START + 2 * STEP - 1
      const last = await ask()
      expect(last.status).toBe(site.success)
      expect(last.headers['dpop-nonce']).toBe(nonceOf(server, { ahead: 0 }))
      expect(last.headers['dpop-nonce']).not.toBe(old)
      server.clock.seconds = START + 2 * STEP
      const late = await ask()
      expect([late.status, late.body.error]).toEqual([site.refusal, 'use_dpop_nonce'])
      expect(late.headers['dpop-nonce']).toBe(nonceOf(server))
    }))
})

describe('nonces', () => {
  test('of one instance are taken by every other with the same secret', () =>
    withNonces(async (one) =>
      withNonces(async (other) => {
        const now = one.clock.seconds
        const { headers } = await askForKey(one, { scope: 'devices:read' }).set(
          'DPoP',
          signProof(holder, TOKEN_TARGET, { now }),
        )
        const claims = { nonce: headers['dpop-nonce'] }
        const proof = signProof(holder, TOKEN_TARGET, { now, claims })
        await askForKey(other, { scope: 'devices:read' }).set('DPoP', proof).expect(200)
      }),
    ))

  test('are handed out to no request without a proof, and with no public document', () =>
    withNonces(async (server) => {
      const proof = signProof(
        holder,
        { method: 'GET', url: 'https://auth.example.com/oauth/jwks' },
        { now: START },
      )
      const jwks = await send(server, 'get', '/oauth/jwks').set('DPoP', proof).expect(200)
      const bearer = await askForKey(server, { scope: 'devices:read' }).expect(200)
      expect([jwks, bearer].map(({ headers }) => headers['dpop-nonce'])).toEqual([undefined, undefined])
      expect(jwks.headers['cache-control']).toBe('public, max-age=300')
    }))

  test('are not needed for bearer keys', () =>
    withNonces(async (server) => {
      const key = await obtainKey(server, { scope: 'devices:read' })
      await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`).expect(200)
    }))

  test('are not sent for a proof with another fault, which is refused for that fault', () =>
    withNonces(async (server) => {
      const proof = signProof(holder, TOKEN_TARGET, {
        now: START,
        claims: { htm: 'GET', nonce: nonceOf(server) },
      })
      const { body } = await askForKey(server, { scope: 'devices:read' }).set('DPoP', proof).expect(400)
      expect(body.error).toBe('invalid_dpop_proof')
    }))
})
