import { decodeJwt, decodeProtectedHeader } from 'jose'
import type { Terms } from '../../lib/clients/policy.js'
import { signJwt } from '../../lib/jose/jwt.js'
import type { Deployment } from '../../lib/ports/deployment.js'
import type { Verified } from '../../lib/redemption/key-state.js'
import { verifyGenuine } from '../../lib/tokens/issued-token.js'
import {
  type KeyClaims,
  newKey,
  PROVISIONING_KEY,
  randomId,
  signKey,
  verifiedKey,
} from '../../lib/tokens/provisioning-key.js'
import { compact } from '../support/compact.js'
import {
  AUDIENCE,
  deployed,
  ISSUER,
  reasonOf,
  refusalOf,
  request,
  SIGNING_KEY,
  START,
  TARGET,
  verifyKey,
} from '../support/deployed.js'

const CLIENT = { clientId: 'ci-runner', ancestors: [] }

const TERMS: Terms = {
  subject: 'device:7',
  scope: ['provision:token', 'devices:read'],
  audience: AUDIENCE,
  lifetimeSeconds: 300,
  networks: undefined,
}

const CLAIMS: KeyClaims = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'device:7',
  client_id: 'ci-runner',
  scope: 'provision:token devices:read',
  iat: START,
  nbf: START,
  exp: START + 300,
  jti: 'a-jti',
}

function presenting(deployment: Deployment, token: string, address: string | undefined): Promise<Verified> {
  const expected = { audiences: deployment.audiences, scope: [], target: TARGET }
  const credential = { token, scheme: 'Bearer' } as const
  return verifyKey(deployment, { credential, presented: request({ address }), expected })
}

/** A key with any claims, signed by the deployment. */
function signed({ deployment } = deployed(), claims: object = {}): string {
  const { kid } = deployment.keyRing.active()
  return compact({ alg: 'ES256', typ: 'provisioning-key+jwt', kid }, { ...CLAIMS, ...claims }, SIGNING_KEY)
}

describe('randomId', () => {
  it('has 160 bits in base64url and is never the same', () => {
    const ids = Array.from({ length: 1000 }, randomId)
    expect(new Set(ids).size).toBe(1000)
    expect(ids.every((id) => /^[\w-]{27}$/.test(id))).toBe(true)
  })
})

describe('a key that is drawn up and minted', () => {
  it('has the documented claims and no others', () => {
    const { deployment } = deployed()
    const drawn = newKey(deployment, CLIENT, TERMS, undefined)
    const key = signKey(deployment, drawn)
    expect(decodeJwt(key)).toEqual({ ...CLAIMS, jti: drawn.record.jti })
    const { kid } = deployment.keyRing.active()
    expect(decodeProtectedHeader(key)).toEqual({ alg: 'ES256', typ: 'provisioning-key+jwt', kid })
  })

  it('says its networks and its environment where it has any', () => {
    const { deployment } = deployed({ environment: 'staging' })
    const { claims } = newKey(deployment, CLIENT, { ...TERMS, networks: ['10.0.0.0/8'] }, undefined)
    expect(claims).toMatchObject({ cidr: ['10.0.0.0/8'], env: 'staging' })
  })

  it('may be presented from nowhere when its networks are none, and not from anywhere', async () => {
    const { deployment } = deployed()
    const drawn = newKey(deployment, CLIENT, { ...TERMS, networks: [] }, undefined)
    await deployment.store.record(drawn.record, { outstanding: 1 })
    const present = () => presenting(deployment, signKey(deployment, drawn), '10.0.0.1')
    expect(await reasonOf(present)).toBe('network_wrong')
  })

  it('names its binding, like its record', () => {
    const { deployment } = deployed()
    const { claims, record } = newKey(deployment, CLIENT, TERMS, { jkt: 'a' })
    expect(claims).toMatchObject({ cnf: { jkt: 'a' } })
    expect(record).toMatchObject({ confirmation: { jkt: 'a' } })
  })

  it('has one digest in its record for its networks and its ancestors', () => {
    const { deployment } = deployed()
    const digestFor = (networks: Terms['networks'], ...jtis: readonly string[]) => {
      const ancestors = jtis.map((jti) => ({ clientId: 'ci-runner', jti }))
      const terms = { ...TERMS, scope: ['provision:bind'], networks }
      return newKey(deployment, { ...CLIENT, ancestors }, terms, undefined).record.claimsDigest
    }
    const digests = [digestFor([]), digestFor(['a']), digestFor(undefined, 'a'), digestFor(['a'], 'a')]
    expect(new Set(digests).size).toBe(4)
    for (const digest of digests) expect(digest).toMatch(/^[\w-]{43}$/)
    expect(digestFor(['a'], 'a')).toBe(digests[3])
  })

  it('is recorded without the key, and found until no verifier takes it any more', () => {
    const { deployment } = deployed({ clockToleranceSeconds: 7 })
    const { record } = newKey(deployment, CLIENT, TERMS, undefined)
    expect(record).toEqual({
      jti: record.jti,
      clientId: 'ci-runner',
      subject: 'device:7',
      scope: TERMS.scope,
      audience: AUDIENCE,
      issuedAt: START,
      expiresAt: START + 300,
      retainUntil: START + 307,
    })
  })

  it('lives no longer than the deployment allows, whatever its terms say', () => {
    const { deployment } = deployed({
      policy: { scopes: ['provision:token', 'devices:read'], maxLifetimeSeconds: 60 },
    })
    const { claims, record } = newKey(deployment, CLIENT, { ...TERMS, lifetimeSeconds: 3600 }, undefined)
    expect([claims.exp, record.expiresAt]).toEqual([START + 60, START + 60])
  })
})

describe('verifyGenuine', () => {
  it('answers the claims of a key of this deployment, whatever its times', () => {
    const given = deployed()
    given.clock.seconds = START + 1_000_000
    expect(verifyGenuine(given.deployment, PROVISIONING_KEY, signed(given))).toEqual(CLAIMS)
  })

  const MALFORMED: [string, unknown[]][] = [
    ...['iss', 'aud', 'sub', 'client_id', 'scope', 'jti'].map((name): [string, unknown[]] => [
      name,
      [undefined, null, '', 1, ['a'], {}, true],
    ]),
    ...['iat', 'nbf', 'exp'].map((name): [string, unknown[]] => [
      name,
      [undefined, null, '1700000000', 1_700_000_000.5, 1e300, [START], true],
    ]),
    ['cidr', [null, '10.0.0.0/8', [1], [null], {}]],
    ['env', [null, 1, ['staging']]],
  ]
  const malformed = MALFORMED.flatMap(([name, values]) => values.map((value) => ({ name, value })))
  it.each(malformed)('refuses the claim $name $value, though it was signed', async ({ name, value }) => {
    const given = deployed()
    const refusal = await refusalOf(() =>
      verifyGenuine(given.deployment, PROVISIONING_KEY, signed(given, { [name]: value })),
    )
    expect(refusal).toMatchObject({ reason: 'claims_malformed', disclosed: false })
    expect(refusal.facts).toEqual({})
  })

  it.each(['https://evil.example.com', `${ISSUER}/`, ISSUER.toUpperCase()])(
    'refuses the issuer %s',
    async (iss) => {
      const given = deployed()
      const refusal = await refusalOf(() =>
        verifyGenuine(given.deployment, PROVISIONING_KEY, signed(given, { iss })),
      )
      expect(refusal).toMatchObject({
        reason: 'issuer_wrong',
        facts: { clientId: 'ci-runner', jti: 'a-jti' },
      })
    },
  )

  it('refuses every other JWT of the same deployment', async () => {
    const { deployment } = deployed()
    for (const typ of ['at+jwt', 'JWT', 'dpop+jwt', 'provisioning-binding+jwt']) {
      const token = signJwt({ ...CLAIMS }, deployment.keyRing.active(), typ)
      expect(await reasonOf(() => verifyGenuine(deployment, PROVISIONING_KEY, token))).toBe('key_type_wrong')
    }
  })
})

describe('verifiedKey', () => {
  it('answers a frozen key', () => {
    const key = verifiedKey({ ...CLAIMS, env: 'staging' })
    expect(key).toEqual({
      ancestors: [],
      jti: 'a-jti',
      clientId: 'ci-runner',
      subject: 'device:7',
      scope: ['provision:token', 'devices:read'],
      audience: AUDIENCE,
      issuer: ISSUER,
      issuedAt: START,
      expiresAt: START + 300,
      environment: 'staging',
      confirmation: undefined,
    })
    expect([key, key.scope].every(Object.isFrozen)).toBe(true)
  })

  it('says what the key is bound to', () => {
    expect(verifiedKey({ ...CLAIMS, cnf: { jkt: 'a' } }).confirmation).toEqual({ jkt: 'a' })
  })
})

describe('the presenter of a key', () => {
  it.each([{ jkt: 'a' }, { 'x5t#S256': 'a' }, {}, null, '', 0, false])(
    'is refused, without a proof, for the confirmation %j',
    async (cnf) => {
      const given = deployed()
      const refusal = await refusalOf(() => presenting(given.deployment, signed(given, { cnf }), undefined))
      expect(refusal).toMatchObject({ reason: 'possession_unproven', facts: { jti: 'a-jti' } })
    },
  )

  it.each([
    ['10.1.2.3', ['10.0.0.0/8'], true],
    ['::ffff:10.1.2.3', ['10.0.0.0/8'], true],
    ['11.1.2.3', ['10.0.0.0/8'], false],
    [undefined, ['10.0.0.0/8'], false],
    ['10.1.2.3', [], false],
    ['10.1.2.3', ['garbage'], false],
  ])('from %s of a key meant for %j passes: %s', async (address, networks, passes) => {
    const { deployment } = deployed()
    const drawn = newKey(deployment, CLIENT, { ...TERMS, networks }, undefined)
    await deployment.store.record(drawn.record, { outstanding: 1 })
    const present = () => presenting(deployment, signKey(deployment, drawn), address)
    if (passes) expect(await present()).toHaveProperty('key.jti', drawn.record.jti)
    else
      expect(await refusalOf(present)).toMatchObject({
        reason: 'network_wrong',
        facts: { clientId: 'ci-runner' },
      })
  })
})
