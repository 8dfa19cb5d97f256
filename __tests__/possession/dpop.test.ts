import crypto from 'node:crypto'
import type { PresentedRequest } from '../../lib/base/request.js'
import type { ProvisioningOptions } from '../../lib/options/provisioning-options.js'
import type { UseOnceOutcome } from '../../lib/ports/store.js'
import { type DpopProof, nonces, readProof } from '../../lib/possession/dpop.js'
import type { Target } from '../../lib/possession/target.js'
import { clientKey } from '../support/client-assertion.js'
import { deployed, reasonOf, refusalOf, request, START, storeBut, TARGET } from '../support/deployed.js'
import { hashOf, type ProofParts, signProof } from '../support/proof.js'
import { REFUSED_PROOFS } from '../support/refused-proofs.js'

const holder = clientKey()
const KEY = 'the.key.itself'

function underTest(options: Partial<ProvisioningOptions> = {}) {
  const { deployment, clock } = deployed(options)
  const read = (presented: PresentedRequest, target: Target, token?: string, hashRequired = false) =>
    readProof(deployment, presented, { target, hashRequired, ...(token !== undefined && { token }) })
  const sign = (parts: ProofParts & { token?: string } = {}, key = holder) =>
    signProof(key, TARGET, { now: START, ...parts })
  const readOne = (
    parts: ProofParts & { token?: string } = {},
    ...rest: [token?: string, hashRequired?: boolean]
  ) => read(request({ dpop: [sign(parts)] }), TARGET, ...rest) as DpopProof
  return { deployment, clock, read, sign, readOne }
}

const OWNER = { clientId: 'a-client', jti: 'a-key' }

describe('a reader of proofs', () => {
  it('answers nothing where there is no proof', () => {
    expect(underTest().read(request(), TARGET)).toBeUndefined()
    expect(underTest().read(request(), TARGET, KEY, true)).toBeUndefined()
  })

  it('answers with the key of the proof, and its thumbprint', () => {
    const { publicKey, thumbprint } = underTest().readOne()
    expect(publicKey.export({ format: 'jwk' })).toEqual(holder.jwk)
    expect(thumbprint).toMatch(/^[\w-]{43}$/)
  })

  it("discloses what is wrong with a proof: it is the caller's own", async () => {
    const { read } = underTest()
    const refusal = await refusalOf(() => read(request({ dpop: ['a'] }), TARGET))
    expect([refusal.code, refusal.disclosed]).toEqual(['invalid_dpop_proof', true])
  })

  it.each(REFUSED_PROOFS)('refuses a proof with %s: %s', async (_, reason, make) => {
    const { read, clock } = underTest()
    clock.seconds = Date.now() / 1000
    const proof = make((parts) => signProof(holder, TARGET, parts), { holder, target: TARGET })
    expect(await reasonOf(() => read(request({ dpop: [proof] }), TARGET))).toBe(reason)
    // The same after a valid proof, whose key is remembered.
    expect(
      await reasonOf(() => read(request({ dpop: [signProof(holder, TARGET, {})] }), TARGET)),
    ).toBeUndefined()
    expect(await reasonOf(() => read(request({ dpop: [proof] }), TARGET))).toBe(reason)
  })

  it('imports the key of several proofs once, and remembers no key of a refused proof', async () => {
    const { read, sign } = underTest()
    const imports = jest.spyOn(crypto, 'createPublicKey')
    const importsOf = async (proof: string) => {
      imports.mockClear()
      await reasonOf(() => read(request({ dpop: [proof] }), TARGET))
      return imports.mock.calls.length
    }
    try {
      expect([await importsOf(sign()), await importsOf(sign()), await importsOf(sign())]).toEqual([1, 0, 0])
      const forged = `${sign({}, clientKey()).slice(0, -8)}AAAAAAAA`
      expect([await importsOf(forged), await importsOf(forged)]).toEqual([1, 1])
    } finally {
      imports.mockRestore()
    }
  })

  it('refuses two proofs, and one header with two', async () => {
    const { read, sign } = underTest()
    const proofs = [sign(), sign()]
    expect(await reasonOf(() => read(request({ dpop: proofs }), TARGET))).toBe('dpop_repeated')
    expect(await reasonOf(() => read(request({ dpop: [proofs.join(', ')] }), TARGET))).toBe('dpop_malformed')
  })

  it('tells the address that is wanted without its query', async () => {
    const { read, sign } = underTest()
    const target = { method: 'POST', url: 'https://API.example.com:443/a?secret=1' }
    const refusal = await refusalOf(() => read(request({ dpop: [sign()] }), target))
    expect(refusal.message).toBe('The htu of the DPoP proof is not https://api.example.com/a.')
  })

  it('takes no proof for a request whose own address is none', async () => {
    const { read, sign } = underTest()
    const url = 'https://api.example.com/a\\b'
    const proof = sign({ claims: { htu: url } })
    expect(await reasonOf(() => read(request({ dpop: [proof] }), { method: 'POST', url }))).toBe(
      'dpop_target_wrong',
    )
  })

  it.each(['/a/../b', '/a/%2e%2e/b', '/a/.%2E/b?c', '/./b', '/b/..', '/b/%2e'])(
    'takes no proof for another path than %s, which Express does not shorten',
    async (path) => {
      const { read, sign } = underTest()
      const url = `https://api.example.com${path}`
      const proven = (htu: string) =>
        reasonOf(() => read(request({ dpop: [sign({ claims: { htu } })] }), { method: 'POST', url }))
      expect(await proven('https://api.example.com/b')).toBe('dpop_target_wrong')
      expect(await proven(url.replace(/b.*$/, ''))).toBe('dpop_target_wrong')
      expect(await proven(url)).toBeUndefined()
    },
  )

  it('ignores dot segments in a query', async () => {
    const { read, sign } = underTest()
    const [htu, query] = ['https://api.example.com/b', '?next=/a/../c']
    const url = `${htu}${query}`
    const reason = await reasonOf(() =>
      read(request({ dpop: [sign({ claims: { htu } })] }), { method: 'POST', url }),
    )
    expect(reason).toBeUndefined()
  })

  it('wants the hash of the key where that is required, and has it right wherever it stands', async () => {
    const { readOne } = underTest()
    const reasons = await Promise.all([
      reasonOf(() => readOne({ token: KEY }, KEY, true)),
      reasonOf(() => readOne({ token: KEY }, KEY)),
      reasonOf(() => readOne({}, KEY)),
      reasonOf(() => readOne({}, KEY, true)),
      reasonOf(() => readOne({ token: 'other' }, KEY)),
      reasonOf(() => readOne({ claims: { ath: null } }, KEY)),
      // At issuance there is no key that the proof could name.
      reasonOf(() => readOne({ token: 'other' })),
    ])
    const wrong = 'dpop_token_hash_wrong'
    expect(reasons).toEqual([undefined, undefined, undefined, wrong, wrong, wrong, undefined])
    expect(hashOf(KEY)).toHaveLength(43)
  })
})

describe('the age of a proof', () => {
  // 60 s of age and 5 s of tolerance. One second more in the future, because our time is cut to whole seconds.
  it.each([
    [-65, undefined],
    [-65.001, 'dpop_stale'],
    [-66, 'dpop_stale'],
    [0, undefined],
    [6, undefined],
    [6.001, 'dpop_stale'],
    [7, 'dpop_stale'],
  ])('of %d s from now: %s', async (by, reason) => {
    const { readOne } = underTest()
    expect(await reasonOf(() => readOne({ claims: { iat: START + by } }))).toBe(reason)
  })

  it('may be as the options say', async () => {
    const { readOne } = underTest({ dpop: { proofAgeSeconds: 10 }, clockToleranceSeconds: 0 })
    const reasons = await Promise.all(
      [-10, -11, 1, 2].map((by) => reasonOf(() => readOne({ claims: { iat: START + by } }))),
    )
    expect(reasons).toEqual([undefined, 'dpop_stale', undefined, 'dpop_stale'])
  })

  it.each([
    [{ exp: START - 4 }, undefined],
    [{ exp: START - 5 }, 'dpop_stale'],
    [{ exp: null }, 'dpop_stale'],
    [{ exp: `${START + 60}` }, 'dpop_stale'],
    [{ nbf: START + 6 }, undefined],
    [{ nbf: START + 7 }, 'dpop_stale'],
    [{ nbf: [] }, 'dpop_stale'],
    [{ exp: START + 1e9, nbf: -1e9 }, undefined],
  ])('is bounded by %j as well: %s', async (claims, reason) => {
    const { readOne } = underTest()
    expect(await reasonOf(() => readOne({ claims }))).toBe(reason)
  })
})

describe('a proof that is spent', () => {
  it('is used, for as long as it is fresh', async () => {
    for (const iat of [START - 65, START - 0.5, START, START + 5.5]) {
      const { clock, read, sign } = underTest()
      const proof = sign({ claims: { iat } })
      const spend = async () => read(request({ dpop: [proof] }), TARGET)?.spend(OWNER)
      expect(await reasonOf(spend)).toBeUndefined()
      for (clock.seconds = START; clock.seconds < START + 80; clock.seconds += 0.25) {
        const reason = await reasonOf(spend)
        expect([iat, clock.seconds, reason]).toEqual([
          iat,
          clock.seconds,
          expect.stringMatching(/^dpop_(replayed|stale)$/),
        ])
      }
    }
  })

  it('is used for its key, its jti and its place, whatever the place is called', async () => {
    const { read, sign } = underTest()
    const other = clientKey('EdDSA')
    const jti = 'one'
    const spend = (proof: string, target = TARGET) =>
      reasonOf(() => read(request({ dpop: [proof] }), target)?.spend(OWNER))
    expect(await spend(sign({ claims: { jti } }))).toBeUndefined()
    const alike = [
      TARGET.url.toUpperCase().replace('/OAUTH/TOKEN', '/oauth/token'),
      `${TARGET.url}?a`,
      `${TARGET.url}#a`,
    ]
    for (const htu of alike) {
      expect(await spend(sign({ claims: { jti, htu, iat: START - 1 } }))).toBe('dpop_replayed')
      expect(await spend(sign({ claims: { jti } }), { ...TARGET, url: htu })).toBe('dpop_replayed')
    }
    expect(await spend(sign({ claims: { jti } }, other))).toBeUndefined()
    expect(await spend(sign({ claims: { jti: 'two' } }))).toBeUndefined()
    const elsewhere = { method: 'POST', url: 'https://auth.example.com/elsewhere' }
    expect(await spend(sign({ claims: { jti, htu: elsewhere.url } }), elsewhere)).toBeUndefined()
  })

  it('is told to the store by a hash alone, and for no longer than it is fresh', async () => {
    const told: [string, number][] = []
    const useOnce = async (id: string, until: number): Promise<UseOnceOutcome> => {
      told.push([id, until])
      return 'first'
    }
    const { readOne } = underTest({ store: storeBut({ useOnce }) })
    await readOne({ claims: { jti: 'one', iat: START - 10.5 } }).spend(OWNER)
    await readOne({ claims: { jti: 'two' } }).spend(OWNER)
    expect(told).toEqual([
      [expect.stringMatching(/^[\w-]{43}$/), START - 10 + 60 + 2 * 5 + 1],
      [expect.stringMatching(/^[\w-]{43}$/), START + 60 + 2 * 5 + 1],
    ])
    expect(told[0]?.[0]).not.toBe(told[1]?.[0])
  })

  it('is spent once by a request that is read twice', async () => {
    const { read, sign } = underTest()
    const presented = request({ dpop: [sign()] })
    await Promise.all([read(presented, TARGET)?.spend(OWNER), read(presented, TARGET)?.spend(OWNER)])
    await read(presented, TARGET)?.spend(OWNER)
    expect(await reasonOf(() => read({ ...presented }, TARGET)?.spend(OWNER))).toBe('dpop_replayed')
  })

  it('accepts exactly one of many concurrent uses', async () => {
    const { read, sign } = underTest()
    const proof = sign()
    const spend = () => reasonOf(() => read(request({ dpop: [proof] }), TARGET)?.spend(OWNER))
    const reasons = await Promise.all(Array.from({ length: 50 }, spend))
    expect(reasons.filter((reason) => reason === undefined)).toHaveLength(1)
    expect(reasons.filter((reason) => reason === 'dpop_replayed')).toHaveLength(49)
  })

  it.each([
    ['store_full', async () => 'full' as const],
    ['store_unavailable', () => Promise.reject(new Error('gone'))],
  ])('is refused with %s when the store cannot tell', async (reason, useOnce) => {
    const { readOne } = underTest({ store: storeBut({ useOnce }) })
    expect(await reasonOf(() => readOne().spend(OWNER))).toBe(reason)
  })

  it('is not spent by being read', async () => {
    const { read, sign } = underTest()
    const proof = sign()
    for (let i = 0; i < 3; i += 1) read(request({ dpop: [proof] }), TARGET)
    expect(await reasonOf(() => read(request({ dpop: [proof] }), TARGET)?.spend(OWNER))).toBeUndefined()
  })
})

describe('a reader that wants nonces', () => {
  const nonceSecret = 'n'.repeat(32)
  const options = { dpop: { nonceSecret, nonceLifetimeSeconds: 60 } }

  it('wants them last, so that none is handed out for a proof that would not hold', async () => {
    const { readOne } = underTest(options)
    const { current } = nonces(Buffer.from(nonceSecret), 60, () => START * 1000)
    expect(await reasonOf(() => readOne({ claims: { nonce: current() } }))).toBeUndefined()
    expect(await reasonOf(() => readOne())).toBe('dpop_nonce_wanted')
    expect(await reasonOf(() => readOne({ claims: { iat: 1 } }))).toBe('dpop_stale')
    expect(await reasonOf(() => readOne({}, KEY, true))).toBe('dpop_token_hash_wrong')
  })
})
