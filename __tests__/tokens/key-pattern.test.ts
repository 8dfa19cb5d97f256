import type { KeyAlgorithm } from '../../lib/jose/jwk.js'
import { signJwt } from '../../lib/jose/jwt.js'
import { codeBlocks, readText } from '../docs/markdown'
import { clientKey, signAssertion } from '../support/client-assertion.js'
import { decodeJwt } from '../support/forge.js'
import { signProof } from '../support/proof.js'
import { exchangeKey, obtainKey } from '../support/requests.js'
import { times } from '../support/scale.js'
import { ISSUER, startServer } from '../support/server.js'
import { PAIRS } from '../support/signing-pairs.js'

const GITLEAKS = readText('monitoring/gitleaks.toml')
const GUIDE = 'docs/guides/leaked-keys.md'
const ALGORITHMS = Object.keys(PAIRS) as KeyAlgorithm[]

/** The value of a member of the gitleaks rule. */
function ruleMember(member: string): string {
  const [, value = ''] =
    new RegExp(`^${member} = (?:'''|\\["|")(.+?)(?:'''|"\\]|")$`, 'm').exec(GITLEAKS) ?? []
  return value
}

const PATTERN = ruleMember('regex')

/** Everything that the pattern finds in a text. */
function found(text: string): readonly string[] {
  return text.match(new RegExp(PATTERN, 'g')) ?? []
}

/** Claims of every length modulo three, because base64url writes each of them in its own way. */
function claimsOf(i: number) {
  return {
    iss: `https://${'a'.repeat(i % 40)}.example.com`,
    sub: `device:${i}`,
    iat: 1_700_000_000 + i,
    jti: `${i}`,
  }
}

describe('the header of every provisioning key', () => {
  it.each(ALGORITHMS)('has alg, typ and kid in this order, signed with %s', (algorithm) => {
    const [header = ''] = signJwt(claimsOf(1), PAIRS[algorithm], 'provisioning-key+jwt').split('.')
    const { kid } = PAIRS[algorithm]
    const expected = `{"alg":"${algorithm}","typ":"provisioning-key+jwt","kid":"${kid}"}`
    expect(Buffer.from(header, 'base64url').toString()).toBe(expected)
  })

  it.each(ALGORITHMS)(
    'has these members in a key that a server issues, signed with %s',
    async (algorithm) => {
      const { privateKey } = PAIRS[algorithm]
      const server = await startServer({ options: { signingKeys: { key: privateKey, alg: algorithm } } })
      try {
        const key = await obtainKey(server)
        expect(Object.keys(decodeJwt(key).header)).toEqual(['alg', 'typ', 'kid'])
        expect(found(`Authorization: Bearer ${key}\n`)).toEqual([key])
      } finally {
        await server.close()
      }
    },
  )
})

describe('the pattern for secret scanners', () => {
  it('is the same in the gitleaks rule and everywhere in the guide', () => {
    const patterns = readText(GUIDE).match(/eyJhbGciOiJ\S*/g) ?? []
    expect(patterns.length).toBeGreaterThan(0)
    for (const pattern of patterns) expect(pattern.replace(/'''$/, '')).toBe(PATTERN)
    expect(codeBlocks(GUIDE).some(({ code }) => code.trim() === PATTERN)).toBe(true)
  })

  it('uses only what RE2 and Hyperscan know: literals, classes and repetitions', () => {
    expect(PATTERN.replace(/\[A-Za-z0-9_-\](\+|\{\d+,?\})|\\\.|[A-Za-z0-9]/g, '')).toBe('')
  })

  it.each(ALGORITHMS)('finds each of many keys whole in a text, signed with %s', (algorithm) => {
    const amount = times({ all: 1000, few: 50 })
    const keys = Array.from({ length: amount }, (_, i) =>
      signJwt(claimsOf(i), PAIRS[algorithm], 'provisioning-key+jwt'),
    )
    for (const separator of ['\n', '"},{"token":"', ' ', '&subject_token=', "'\n"])
      expect(found(keys.join(separator))).toEqual(keys)
  })

  it('contains the keyword with which gitleaks chooses the texts to search', () => {
    const keyword = ruleMember('keywords')
    expect(PATTERN).toContain(keyword)
    expect(keyword.length).toBeGreaterThan(20)
  })

  it('finds no other token of this library', async () => {
    const server = await startServer()
    try {
      const { body } = await exchangeKey(server, await obtainKey(server)).expect(200)
      const [own, now] = [clientKey(), Math.floor(Date.now() / 1000)]
      const others = [
        body.access_token,
        signProof(own, { method: 'POST', url: ISSUER }),
        signAssertion(own, { clientId: 'ci-runner', audience: ISSUER, now }),
        ...ALGORITHMS.flatMap((algorithm) =>
          [
            'at+jwt',
            'JWT',
            'dpop+jwt',
            'provisioning-key',
            'Xprovisioning-key+jwt',
            'provisioning-key+jwtX',
          ].map((typ) => signJwt(claimsOf(7), PAIRS[algorithm], typ)),
        ),
      ]
      expect(found(others.join('\n'))).toEqual([])
    } finally {
      await server.close()
    }
  })

  it('finds no part of a key, which nobody can use', () => {
    const key = signJwt(claimsOf(3), PAIRS.ES256, 'provisioning-key+jwt')
    const [header, payload, signature = ''] = key.split('.')
    const parts = [
      header,
      `${header}.${payload}`,
      `${header}.${payload}.`,
      `${header}.${payload}.${signature.slice(0, 42)}`,
    ]
    expect(found(parts.join('\n'))).toEqual([])
  })
})
