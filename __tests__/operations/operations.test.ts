import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { ConfigurationError } from '../../lib/base/errors.js'
import type { ProvisioningEvent } from '../../lib/index.js'
import { thumbprint } from '../../lib/jose/jwk.js'
import { type Operations, operations } from '../../lib/operations/operations.js'
import { generateSigningKeys } from '../../lib/options/generated-keys.js'
import { type AnyOptions, parse } from '../options/faults-of.js'
import { SIGNING_KEY, START } from '../support/deployed.js'
import { sampled } from '../support/scale.js'

const ec = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve })
const [NEXT, OTHER] = [ec(), ec('P-384')]
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })
const kidOf = ({ publicKey }: ReturnType<typeof ec>) => thumbprint(publicKey)

function operated(options: AnyOptions = {}) {
  const clock = { seconds: START }
  const events: ProvisioningEvent[] = []
  const observer = (event: ProvisioningEvent) => events.push(event)
  const config = parse({ now: () => clock.seconds * 1000, observer, ...options })
  const kids = () => config.deployment.keyRing.jwks().keys.map(({ kid }) => kid)
  return { clock, events, config, kids, ...operations(config) }
}

/** A call with any arguments, valid or not. */
function faultsOf(
  call: (given: Record<keyof Operations, (...given: unknown[]) => Promise<unknown>>) => unknown,
) {
  const given = operated()
  return faultsOn(() => call(given as never))
}

async function faultsOn(call: () => unknown): Promise<readonly string[]> {
  try {
    await call()
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

const FIRST = thumbprint(SIGNING_KEY)
const USABLE =
  'an EC key on P-256, P-384 or P-521, an RSA key of 2048, 3072 or 4096 bits with the exponent 65537, ' +
  'or an HMAC secret of at least 256 bits'

describe('rotateSigningKey', () => {
  it('signs with the key that is given, and says until when the one before verifies', async () => {
    const { rotateSigningKey, config, kids } = operated()
    const kid = kidOf(NEXT)
    // The longest lifetime is that of an access token, because no policy narrows it here.
    const until = new Date((START + 3600 + 2 * 5) * 1000)
    expect(await rotateSigningKey(NEXT.privateKey)).toEqual({ kid, retired: { kid: FIRST, until } })
    expect(config.deployment.keyRing.active().kid).toBe(kid)
    expect(kids()).toEqual([kid, FIRST])
  })

  it.each([
    [{ accessTokenLifetimeSeconds: 60 }, 900],
    [{ accessTokenLifetimeSeconds: 1000 }, 1000],
    [{ accessTokenLifetimeSeconds: 60, maxLifetimeSeconds: 120 }, 120],
    [{ maxLifetimeSeconds: 3600, accessTokenLifetimeSeconds: 5 }, 3600],
  ])('keeps the old key for the longest lifetime that policies allow: case %#', async (policy, longest) => {
    const { rotateSigningKey } = operated({
      policy: { scopes: [], ...policy },
      clients: [],
      clockToleranceSeconds: 1,
    })
    const { retired } = await rotateSigningKey(NEXT.privateKey)
    expect(retired.until.getTime() / 1000 - START).toBe(longest + 2)
  })

  it('keeps the key before longer by the overlap', async () => {
    const { rotateSigningKey, clock, config, kids } = operated()
    const { retired } = await rotateSigningKey(NEXT.privateKey, { overlapSeconds: 300 })
    expect(retired.until.getTime() / 1000 - START).toBe(3910)
    expect(config.deployment.keyRing.find(FIRST)?.lastIssuedAt).toBe(START + 305)
    clock.seconds = START + 3909
    expect(kids()).toEqual([kidOf(NEXT), FIRST])
    clock.seconds += 1
    expect(kids()).toEqual([kidOf(NEXT)])
  })

  const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'RS256', 'PS256', 'HS256'] as const
  // It takes long to make RSA keys, and both algorithms use the same.
  it.each(sampled(ALGORITHMS, (alg) => alg.replace(/^[RP]S/, 'RSA ')))(
    'makes a key for %s where the one before is for that',
    async (alg) => {
      const signingKeys = /^[RP]S/.test(alg) ? { key: RSA.privateKey, alg } : generateSigningKeys(alg)
      const { rotateSigningKey, config } = operated({ signingKeys })
      const before = config.deployment.keyRing.active()
      const { kid, retired } = await rotateSigningKey()
      const after = config.deployment.keyRing.active()
      expect([after.alg, after.kid, retired.kid]).toEqual([alg, kid, before.kid])
      expect(kid).not.toBe(before.kid)
      expect(after.privateKey.asymmetricKeyDetails?.modulusLength ?? 3072).toBe(3072)
    },
  )

  it('takes what generateSigningKeys makes', async () => {
    const { rotateSigningKey, config } = operated()
    await rotateSigningKey(generateSigningKeys('ES384')[0])
    expect(config.deployment.keyRing.active().alg).toBe('ES384')
  })

  it('activates a key of the configuration, and a key that was added', async () => {
    const { rotateSigningKey, addSigningKey, kids } = operated({ signingKeys: [SIGNING_KEY, NEXT.publicKey] })
    await addSigningKey(OTHER.publicKey)
    await rotateSigningKey(NEXT.privateKey)
    await rotateSigningKey(OTHER.privateKey)
    expect(kids()).toEqual([OTHER, NEXT].map(kidOf).concat(FIRST))
  })

  it('rotates twice for two concurrent calls', async () => {
    const { rotateSigningKey, kids, config } = operated({ signingKeys: RSA.privateKey })
    const rotated = await Promise.all([rotateSigningKey(), rotateSigningKey()])
    const last = rotated.find(({ kid }) => kid === config.deployment.keyRing.active().kid)
    expect(new Set(kids())).toEqual(new Set(rotated.flatMap(({ kid, retired }) => [kid, retired.kid])))
    expect(rotated.map(({ kid }) => kid)).toContain(last?.retired.kid)
  })

  it.each([
    [
      'an argument that has gone missing',
      undefined,
      'next: expected a PEM, a JWK or a KeyObject, got undefined',
    ],
    ['null', null, 'next: expected a PEM, a JWK or a KeyObject, got null'],
    ['text', 'hunter2hunter2', 'next: expected a PEM, a JWK or a KeyObject, got text that is not a PEM key'],
    ['a list', [NEXT.privateKey], 'next: expected a PEM, a JWK or a KeyObject, got a list of 1'],
    [
      'a public key',
      NEXT.publicKey,
      'next: expected a private key, since it is going to sign, got a public key',
    ],
    ['the active key', SIGNING_KEY, 'next: expected another key than the active one, got the active key'],
    [
      'a short secret',
      createSecretKey(randomBytes(16)),
      `next: expected ${USABLE}, got an HMAC secret of 128 bits`,
    ],
    [
      'RSA of 1024 bits',
      generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey,
      `next: expected ${USABLE}, got a key of type rsa of 1024 bits`,
    ],
    [
      'another alg',
      { key: NEXT.privateKey, alg: 'none' },
      'next.alg: expected ES256 for this key, got "none"',
    ],
  ])('refuses %s', async (_, next, fault) => {
    expect(await faultsOf(({ rotateSigningKey }) => rotateSigningKey(next))).toEqual([fault])
  })

  it('refuses the public half of the active key for both reasons together', async () => {
    const { rotateSigningKey, config } = operated()
    const half = config.deployment.keyRing.active().publicKey
    expect(await faultsOn(() => rotateSigningKey(half))).toHaveLength(2)
  })

  it('refuses a key that has been retired, until it is forgotten', async () => {
    const { rotateSigningKey, clock, config, events } = operated()
    const { retired } = await rotateSigningKey(NEXT.privateKey)
    const before = events.length
    expect(await faultsOn(() => rotateSigningKey(SIGNING_KEY))).toEqual([
      'next: expected a key that has not been retired, got a retired key',
    ])
    expect([config.deployment.keyRing.active().kid, events.length]).toEqual([kidOf(NEXT), before])
    clock.seconds = retired.until.getTime() / 1000
    expect(await faultsOn(() => rotateSigningKey(SIGNING_KEY))).toEqual([])
  })

  it('refuses another algorithm than the one that a key was published with', async () => {
    const { rotateSigningKey, addSigningKey, config } = operated()
    await addSigningKey({ key: RSA.publicKey, alg: 'PS256' })
    expect(await faultsOn(() => rotateSigningKey(RSA.privateKey))).toEqual([
      'next.alg: expected PS256, with which the key has been published, got RS256',
    ])
    await rotateSigningKey({ key: RSA.privateKey, alg: 'PS256' })
    expect(config.deployment.keyRing.active().alg).toBe('PS256')
  })

  it.each([
    [-1, '-1'],
    [86_401, '86401'],
    [1.5, '1.5'],
    [Number.NaN, 'NaN'],
    ['60', '"60"'],
    [null, 'null'],
  ])('refuses an overlap of %j', async (overlapSeconds, got) => {
    const faults = await faultsOf(({ rotateSigningKey }) =>
      rotateSigningKey(NEXT.privateKey, { overlapSeconds }),
    )
    expect(faults).toEqual([
      `options.overlapSeconds: expected a whole number from 0 to 86400 seconds, got ${got}`,
    ])
  })

  it('refuses options that it does not know, with the name that was meant', async () => {
    expect(
      await faultsOf(({ rotateSigningKey }) => rotateSigningKey(NEXT.privateKey, { overlapsSeconds: 1 })),
    ).toEqual([
      'options.overlapsSeconds: expected a known option; did you mean overlapSeconds? got an unknown name',
    ])
    expect(await faultsOf(({ rotateSigningKey }) => rotateSigningKey(NEXT.privateKey, 60))).toEqual([
      'options: expected an object with overlapSeconds, got 60',
    ])
  })
})

describe('addSigningKey', () => {
  it('publishes and verifies with a key that does not sign', async () => {
    const { addSigningKey, config, kids } = operated()
    expect(await addSigningKey(NEXT.privateKey)).toEqual({ kid: kidOf(NEXT) })
    expect(config.deployment.keyRing.active().kid).toBe(FIRST)
    expect(kids()).toEqual([FIRST, kidOf(NEXT)])
  })

  it.each([
    ['the active key', SIGNING_KEY],
    ['a key that was added', NEXT.publicKey],
    ['a key of the configuration', OTHER.privateKey],
  ])('refuses %s', async (_, again) => {
    const { addSigningKey, kids } = operated({ signingKeys: [SIGNING_KEY, OTHER.publicKey] })
    await addSigningKey(NEXT.privateKey)
    expect(await faultsOn(() => addSigningKey(again))).toEqual([
      'key: expected a key that is not among the signing keys, got one that is',
    ])
    expect(kids()).toHaveLength(3)
  })

  it('refuses a key that has been retired', async () => {
    const { addSigningKey, rotateSigningKey, config } = operated()
    await rotateSigningKey(NEXT.privateKey)
    expect(await faultsOn(() => addSigningKey(SIGNING_KEY))).toHaveLength(1)
    expect(config.deployment.keyRing.find(FIRST)?.lastIssuedAt).toBe(START + 5)
  })

  it.each([
    [undefined, 'key: expected a PEM, a JWK or a KeyObject, got undefined'],
    [42, 'key: expected a PEM, a JWK or a KeyObject, got 42'],
    [createSecretKey(randomBytes(8)), `key: expected ${USABLE}, got an HMAC secret of 64 bits`],
  ])('refuses %p', async (key, fault) => {
    expect(await faultsOf(({ addSigningKey }) => addSigningKey(key))).toEqual([fault])
  })
})

describe('removeSigningKey', () => {
  it('forgets a retired key and a waiting one', async () => {
    const { addSigningKey, rotateSigningKey, removeSigningKey, kids, config } = operated()
    await addSigningKey(OTHER.publicKey)
    await rotateSigningKey(NEXT.privateKey)
    for (const kid of [FIRST, kidOf(OTHER)]) await removeSigningKey(kid)
    expect(kids()).toEqual([kidOf(NEXT)])
    expect(config.deployment.keyRing.find(FIRST)).toBeUndefined()
  })

  it.each([
    [
      'the active key',
      FIRST,
      'kid: expected a key that does not sign; rotate first, got the kid of the active key',
    ],
    ['an unknown kid', 'nobody', 'kid: expected the kid of a signing key, got a string of 6 characters'],
    ['no kid', undefined, 'kid: expected the kid of a signing key, got undefined'],
    ['a list of kids', [FIRST], 'kid: expected the kid of a signing key, got a list of 1'],
  ])('refuses %s', async (_, kid, fault) => {
    expect(await faultsOf(({ removeSigningKey }) => removeSigningKey(kid))).toEqual([fault])
  })
})

describe('events of rotation', () => {
  it('name the keys, and hold nothing else', async () => {
    const { addSigningKey, rotateSigningKey, removeSigningKey, events } = operated()
    await addSigningKey(NEXT.privateKey)
    await rotateSigningKey(NEXT.privateKey)
    await removeSigningKey(FIRST)
    const kid = kidOf(NEXT)
    const at = new Date(START * 1000)
    expect(events).toEqual([
      { type: 'signing_key.added', code: 'signing_key.added', at, severity: 'notice', kid },
      {
        type: 'signing_key.rotated',
        code: 'signing_key.rotated',
        at,
        severity: 'notice',
        kid,
        retiredKid: FIRST,
      },
      { type: 'signing_key.removed', code: 'signing_key.removed', at, severity: 'high', kid: FIRST },
    ])
  })
})

describe('revokeAllIssuedBefore', () => {
  it.each([
    ['undefined', undefined, 'time: expected a valid Date, got undefined'],
    ['a number', START, `time: expected a valid Date, got ${START}`],
    ['text', '2020-01-01', 'time: expected a valid Date, got "2020-01-01"'],
    ['a Date that is none', new Date('yesterday'), 'time: expected a valid Date, got an invalid Date'],
    ['NaN', Number.NaN, 'time: expected a valid Date, got NaN'],
    [
      'the future',
      new Date((START + 5) * 1000 + 1),
      'time: expected a Date that is not in the future, got 2023-11-14T22:13:25.001Z',
    ],
    [
      'milliseconds taken for seconds',
      new Date(START * 1_000_000),
      'time: expected a Date that is not in the future, got +055840-11-08T22:13:20.000Z',
    ],
  ])('refuses %s', async (_, time, fault) => {
    expect(await faultsOf(({ revokeAllIssuedBefore }) => revokeAllIssuedBefore(time))).toEqual([fault])
  })

  it.each([
    [{ clientId: undefined }, ['options.clientId: expected the id of a client, got undefined']],
    [{ clientId: '' }, ['options.clientId: expected the id of a client, got ""']],
    [{ clientId: ['a'] }, ['options.clientId: expected the id of a client, got a list of 1']],
    [
      { client_id: 'a' },
      ['options.client_id: expected a known option; did you mean clientId? got an unknown name'],
    ],
    ['ci-runner', ['options: expected an object with clientId, got "ci-runner"']],
    [null, ['options: expected an object with clientId, got null']],
  ])('refuses the options %j, which must not come to mean everybody', async (options, faults) => {
    const time = new Date(START * 1000)
    expect(await faultsOf(({ revokeAllIssuedBefore }) => revokeAllIssuedBefore(time, options))).toEqual(
      faults,
    )
  })

  it('takes a time that another clock, as far ahead as is tolerated, calls now', async () => {
    const { revokeAllIssuedBefore } = operated()
    expect(await revokeAllIssuedBefore(new Date((START + 5) * 1000))).toBe('revoked')
  })

  it('tells of it once, with the second up to which it holds, and of whom', async () => {
    const { revokeAllIssuedBefore, events } = operated()
    const time = new Date(START * 1000 - 60_001)
    for (const options of [undefined, undefined, { clientId: 'ci-runner' }]) {
      await revokeAllIssuedBefore(time, options)
    }
    const told = {
      type: 'keys.revoked',
      code: 'keys.revoked',
      at: new Date(START * 1000),
      severity: 'high',
      issuedBefore: START - 56,
    }
    expect(events).toEqual([told, { ...told, clientId: 'ci-runner' }])
  })
})

describe('listBindings and revokeBinding', () => {
  const bound = { bindingId: 'one', confirmation: { 'x5t#S256': 'x'.repeat(43) }, boundAt: 1, keyId: 'k' }
  const clients = [{ clientId: 'ci', bindings: [bound] }]

  it('list the bindings of a client, and revoke each of them once', async () => {
    const { listBindings, revokeBinding, events } = operated({ clients })
    expect(await listBindings('ci')).toEqual([bound])
    const ref = { clientId: 'ci', bindingId: 'one' }
    expect([await revokeBinding(ref), await revokeBinding(ref)]).toEqual(['revoked', 'unknown'])
    expect(await listBindings('ci')).toEqual([])
    expect(events).toMatchObject([{ type: 'client.unbound', bindingId: 'one', by: 'operator' }])
  })

  it.each<[unknown, string[]]>([
    [undefined, ['binding']],
    ['one', ['binding']],
    [{ clientId: 'ci' }, ['binding.bindingId']],
    [{ clientId: '', bindingId: 'one' }, ['binding.clientId']],
    [{ clientId: 'ci', bindingId: 7 }, ['binding.bindingId']],
    [{ clientId: 'ci', bindingId: 'one', force: true }, ['binding.force']],
  ])('refuse what names no binding: %j', async (ref, paths) => {
    const faults = await faultsOf((call) => call.revokeBinding(ref))
    expect(faults.map((fault) => fault.split(':')[0])).toEqual(paths)
  })

  it.each([undefined, '', 7, {}])('refuse what names no client: %j', async (clientId) => {
    expect(await faultsOf((call) => call.listBindings(clientId))).toHaveLength(1)
  })
})

describe('revokeFamily', () => {
  it('takes the names that events have', async () => {
    const { revokeFamily, events } = operated()
    expect(await revokeFamily({ clientId: 'ci', keyId: 'nobody' })).toBe('unknown')
    expect(events).toEqual([])
  })

  it.each<[unknown, string[]]>([
    [undefined, ['family']],
    [{ clientId: 'ci' }, ['family.keyId']],
    [{ clientId: 'ci', keyId: '' }, ['family.keyId']],
    // Stores name keys like this, operators do not.
    [{ clientId: 'ci', jti: 'k' }, ['family.jti', 'family.keyId']],
  ])('refuses what names no key: %j', async (ref, paths) => {
    const faults = await faultsOf((call) => call.revokeFamily(ref))
    expect(faults.map((fault) => fault.split(':')[0])).toEqual(paths)
  })
})
