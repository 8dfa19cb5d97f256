import { REASONS } from '../../lib/base/errors.js'
import { CLIENT_ALGORITHMS, clientKey } from '../support/client-assertion.js'
import {
  boundKey,
  presentAt,
  proofAt,
  SITES,
  type Site,
  startWatched,
  stateOf,
  type WatchedServer,
} from '../support/dpop-sites.js'
import { hashOf, type ProofParts } from '../support/proof.js'
import { REFUSED_PROOFS } from '../support/refused-proofs.js'
import { sampled } from '../support/scale.js'

const holder = clientKey()
let server: WatchedServer

/** One function checks all proofs. So `npm test` tries all of them here, and one of each kind at the other places. */
const IN_FULL = 'requireProvisioningKey()'

function casesAt<T>(
  { name }: Site,
  cases: readonly T[],
  kindOf: (one: T) => unknown = () => 'one',
): readonly T[] {
  return name === IN_FULL ? cases : sampled(cases, kindOf)
}

beforeAll(async () => {
  server = await startWatched()
})

afterAll(() => server.close())

/** Checks that a proof is refused and changes nothing. Then the owner uses the same key with a correct proof. */
async function expectRefused(site: Site, key: string, proof: string, reason: keyof typeof REASONS) {
  const [writesBefore, eventsBefore] = [server.writes.length, server.events.length]
  const answered = await presentAt(server, site, key, proof)
  expect({ status: answered.status, error: answered.body.error }).toEqual({
    status: site.refusal,
    error: REASONS[reason],
  })
  expect(server.events.slice(eventsBefore)).toEqual([
    expect.objectContaining({ type: 'request.refused', reason, status: site.refusal }),
  ])
  expect(server.writes.slice(writesBefore)).toEqual([])
  expect(await stateOf(server, key)).toBe('issued')
  const challenge = String(answered.headers['www-authenticate'])
  if (site.refusal === 401)
    expect(challenge).toMatch(/^DPoP realm=.*error="invalid_dpop_proof".*algs="ES256 .*Bearer /)
  else expect(challenge).toBe('undefined')
  await presentAt(server, site, key, proofAt(site, holder, key)).expect(site.success)
}

describe.each(SITES)('at $name', (site) => {
  test.each(casesAt(site, REFUSED_PROOFS, ([, reason]) => reason))(
    'a proof with %s is refused: %s',
    async (_, reason, make) => {
      const key = await boundKey(server, site, holder)
      const proof = make((parts) => proofAt(site, holder, key, parts), { holder, target: site.target })
      await expectRefused(site, key, proof, reason)
    },
  )

  test('a proof for another place is refused', async () => {
    const key = await boundKey(server, site, holder)
    for (const other of SITES.filter(
      ({ target }) => target.url !== site.target.url || target.method !== site.target.method,
    )) {
      const answered = await presentAt(
        server,
        site,
        key,
        proofAt(other, holder, key, site.namesKey ? { claims: { ath: hashOf(key) } } : {}),
      )
      expect([answered.status, answered.body.error]).toEqual([site.refusal, 'invalid_dpop_proof'])
    }
    await presentAt(server, site, key, proofAt(site, holder, key)).expect(site.success)
  })

  test('two proofs are refused, be both good', async () => {
    const key = await boundKey(server, site, holder)
    const proofs = [proofAt(site, holder, key), proofAt(site, holder, key)]
    const before = server.writes.length
    const answered = await presentAt(server, site, key, ...proofs)
    expect([answered.status, answered.body.error]).toEqual([site.refusal, 'invalid_dpop_proof'])
    expect(server.events.at(-1)).toMatchObject({ reason: 'dpop_repeated' })
    expect(server.writes).toHaveLength(before)
    // One header field with two proofs is no JWT.
    await expectRefused(site, key, proofs.join(', '), 'dpop_malformed')
  })

  const ACCEPTED: [string, () => ProofParts][] = [
    ['a typ in upper case (RFC 7515 4.1.9)', () => ({ header: { typ: 'DPoP+JWT' } })],
    [
      'a kid, a jku and an x5u, which are not followed',
      () => ({ header: { kid: '1', jku: 'https://a.example/', x5u: 'https://a.example/' } }),
    ],
    [
      'a jwk with members more',
      () => ({ header: { jwk: { ...holder.jwk, kid: '1', use: 'sig', alg: 'ES256' } } }),
    ],
    ['claims more', () => ({ claims: { iss: 'a', sub: 'b', aud: 'c', more: { than: 'that' } } })],
    ['a jti of 256 characters', () => ({ claims: { jti: `${Math.random()}`.padEnd(256, 'x') } })],
    ['a jti that is no name', () => ({ claims: { jti: `__proto__${Math.random()}\u0000\u{1f4a3}` } })],
    ['an iat with a fraction', () => ({ claims: { iat: Date.now() / 1000 - 0.5 } })],
    ['an iat 50 s ago', () => ({ claims: { iat: Date.now() / 1000 - 50 } })],
    ['an iat 3 s ahead', () => ({ claims: { iat: Date.now() / 1000 + 3 } })],
    [
      'an exp and an nbf that hold',
      () => ({ claims: { exp: Date.now() / 1000 + 30, nbf: Date.now() / 1000 - 1 } }),
    ],
    ['a nonce that nobody wanted', () => ({ claims: { nonce: 'of another server' } })],
    ['a scheme in upper case', () => ({ claims: { htu: site.target.url.replace('https', 'HTTPS') } })],
    ['a host in upper case', () => ({ claims: { htu: site.target.url.replace('example', 'EXAMPLE') } })],
    ['the default port', () => ({ claims: { htu: site.target.url.replace('.com/', '.com:443/') } })],
    ['an empty port', () => ({ claims: { htu: site.target.url.replace('.com/', '.com:/') } })],
    [
      'a letter of the path encoded',
      () => ({ claims: { htu: site.target.url.replace(/e(\w+)$/, '%65$1') } }),
    ],
    ['dot segments', () => ({ claims: { htu: site.target.url.replace('.com/', '.com/x/../') } })],
    ['a query', () => ({ claims: { htu: `${site.target.url}?a=b` } })],
    ['a fragment', () => ({ claims: { htu: `${site.target.url}#a` } })],
  ]
  test.each(casesAt(site, ACCEPTED))('a proof with %s is accepted', async (_, parts) => {
    const key = await boundKey(server, site, holder)
    await presentAt(server, site, key, proofAt(site, holder, key, parts())).expect(site.success)
  })

  test.each(casesAt(site, CLIENT_ALGORITHMS))('a proof by %s is accepted', async (alg) => {
    const other = clientKey(alg)
    const key = await boundKey(server, site, other)
    await presentAt(server, site, key, proofAt(site, other, key)).expect(site.success)
  })
})

describe.each(SITES.filter(({ namesKey }) => namesKey))('at $name', (site) => {
  const WRONG_HASHES: [string, (key: string) => unknown][] = [
    ['no ath', () => undefined],
    ['an ath that is null', () => null],
    ['an empty ath', () => ''],
    ['the key itself for an ath', (key: string) => key],
    ['the ath of another key', () => hashOf('another')],
    ['an ath in hexadecimal', (key: string) => Buffer.from(hashOf(key), 'base64url').toString('hex')],
    ['an ath with padding', (key: string) => `${hashOf(key)}=`],
    ['a list of the right ath', (key: string) => [hashOf(key)]],
  ]
  test.each(casesAt(site, WRONG_HASHES))('a proof with %s is refused', async (_, ath) => {
    const key = await boundKey(server, site, holder)
    await expectRefused(
      site,
      key,
      proofAt(site, holder, key, { claims: { ath: ath(key) } }),
      'dpop_token_hash_wrong',
    )
  })
})

test('at token exchange an ath may be left out, and must be right where it is there', async () => {
  const site = SITES.find(({ name }) => name === 'token exchange') as Site
  const key = await boundKey(server, site, holder)
  const of = (ath: string) => proofAt(site, holder, key, { claims: { ath } })
  await expectRefused(
    site,
    await boundKey(server, site, holder),
    of(hashOf('another')),
    'dpop_token_hash_wrong',
  )
  await presentAt(server, site, key, of(hashOf(key))).expect(200)
})
