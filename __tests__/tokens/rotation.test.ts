import crypto from 'node:crypto'
import jsonwebtoken from 'jsonwebtoken'
import { type ActiveKey, KeyRing } from '../../lib/jose/key-ring.js'
import { ACCESS_TOKEN, mintAccessToken } from '../../lib/tokens/access-token.js'
import { verifyGenuine } from '../../lib/tokens/issued-token.js'
import { PROVISIONING_KEY } from '../../lib/tokens/provisioning-key.js'
import { AUDIENCE, deployed, issueKey, reasonOf, START } from '../support/deployed.js'
import { heapBytes } from '../support/heap.js'
import { ALL, times } from '../support/scale.js'
import { PAIRS } from '../support/signing-pairs.js'

const { ES256, ES384 } = PAIRS

/** A deployment with a ring that tests can rotate. */
function rotating() {
  const given = deployed()
  const now = () => given.clock.seconds * 1000
  const ring = new KeyRing(ES256, [], { now, toleranceSeconds: 5, longestLifetimeSeconds: 900 })
  return { ...given, ring, deployment: { ...given.deployment, keyRing: ring } }
}

/** The deployment of a thief with the first signing key. Its ring is not rotated. */
function stolen(given: ReturnType<typeof rotating>, key: ActiveKey = ES256) {
  const now = () => given.clock.seconds * 1000
  const ring = new KeyRing(key, [], { now, toleranceSeconds: 5, longestLifetimeSeconds: 900 })
  return { ...given, deployment: { ...given.deployment, keyRing: ring } }
}

const TERMS = { audience: AUDIENCE, scope: ['devices:read'], lifetimeSeconds: 600, confirmation: undefined }

describe('a retired signing key', () => {
  it('verifies tokens up to its retirement plus the tolerance', async () => {
    const given = rotating()
    given.ring.rotate(ES384, 0)
    for (const [seconds, reason] of [
      [START, undefined],
      [START + 5, undefined],
      [START + 6, 'signing_key_retired'],
      [START + 300, 'signing_key_retired'],
    ] as const) {
      given.clock.seconds = seconds
      const { key } = await issueKey(stolen(given))
      expect(await reasonOf(() => verifyGenuine(given.deployment, PROVISIONING_KEY, key))).toBe(reason)
    }
  })

  it('verifies what other processes go on signing with it, for the overlap', async () => {
    const given = rotating()
    given.ring.rotate(ES384, 60)
    for (const [seconds, reason] of [
      [START + 65, undefined],
      [START + 66, 'signing_key_retired'],
    ] as const) {
      given.clock.seconds = seconds
      const { key } = await issueKey(stolen(given))
      expect(await reasonOf(() => verifyGenuine(given.deployment, PROVISIONING_KEY, key))).toBe(reason)
    }
  })

  it('signs no access token either', async () => {
    const given = rotating()
    const { verified } = await issueKey(given)
    const genuine = mintAccessToken(given.deployment, verified, TERMS).token
    given.ring.rotate(ES384, 0)
    given.clock.seconds += 10
    const forged = mintAccessToken(stolen(given).deployment, verified, TERMS).token
    expect(verifyGenuine(given.deployment, ACCESS_TOKEN, genuine).sub).toBe(verified.subject)
    expect(await reasonOf(async () => verifyGenuine(given.deployment, ACCESS_TOKEN, forged))).toBe(
      'signing_key_retired',
    )
    expect(
      verifyGenuine(given.deployment, ACCESS_TOKEN, mintAccessToken(given.deployment, verified, TERMS).token)
        .iat,
    ).toBe(START + 10)
  })

  it('is not told apart by one who cannot sign with it', async () => {
    const given = rotating()
    given.ring.rotate(ES384, 0)
    given.clock.seconds += 100
    const { privateKey } = PAIRS.ES512
    const { key } = await issueKey(stolen(given))
    const [header, payload] = key.split('.')
    const signature = jsonwebtoken.sign({ iat: 1 }, privateKey, { algorithm: 'ES512' }).split('.')[2]
    const reason = await reasonOf(() =>
      verifyGenuine(given.deployment, PROVISIONING_KEY, `${header}.${payload}.${signature}`),
    )
    expect(reason).toBe('signature_wrong')
  })

  it('verifies nothing after it is forgotten, not even antedated tokens', async () => {
    const given = rotating()
    const { until } = given.ring.rotate(ES384, 0)
    const { key } = await issueKey(stolen({ ...given, clock: { seconds: START } }))
    given.clock.seconds = until
    expect(await reasonOf(() => verifyGenuine(given.deployment, PROVISIONING_KEY, key))).toBe(
      'signing_key_unknown',
    )
  })
})

describe('an unknown kid', () => {
  it('costs no verification of a signature, and leaves nothing behind', async () => {
    const given = rotating()
    const { key } = await issueKey(given)
    const [, payload, signature] = key.split('.')
    const verify = jest.spyOn(crypto, 'verify')
    try {
      const reasons = new Set<unknown>()
      const attack = async (from: number, to: number) => {
        for (let i = from; i < to; i += 1) {
          const header = { alg: 'ES256', typ: 'provisioning-key+jwt', kid: `${i}`.padStart(43, 'k') }
          const forged = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}.${signature}`
          reasons.add(await reasonOf(() => verifyGenuine(given.deployment, PROVISIONING_KEY, forged)))
        }
      }
      await attack(0, 2_000)
      const before = ALL ? await heapBytes() : 0
      await attack(2_000, times({ all: 22_000, few: 3_000 }))
      // A table of these kids would contain at least 20,000 strings of 43 characters.
      if (ALL) expect((await heapBytes()) - before).toBeLessThan(500_000)
      expect([...reasons]).toEqual(['signing_key_unknown'])
      expect(verify).not.toHaveBeenCalled()
      expect(given.ring.jwks().keys).toHaveLength(1)
      expect(verifyGenuine(given.deployment, PROVISIONING_KEY, key).iat).toBe(START)
      expect(verify).toHaveBeenCalledTimes(1)
    } finally {
      verify.mockRestore()
    }
  }, 60_000)
})
