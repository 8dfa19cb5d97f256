import express, { type RequestHandler } from 'express'
import { type ProvisioningKeys, provisioningKeys } from '../../lib/index.js'
import {
  type AttackedRoute,
  type AttackName,
  overHttps,
  testIssuer,
  testKit,
} from '../../lib/testing/testing.js'
import {
  AUDIENCE,
  type Host,
  honest,
  hostWith,
  naiveGuard,
  OTHER_AUDIENCE,
  readsBound,
  SCOPE,
  tokenInBody,
  tokenInHeader,
  tokenInQuery,
} from '../support/broken-host.js'

const ROUTE: AttackedRoute = {
  method: 'POST',
  path: '/devices',
  scope: SCOPE,
  body: { name: 'lamp' },
  otherAudience: OTHER_AUDIENCE,
}

const EVERY = Object.keys(hostWith(honest).kit.attacks).filter((name) => name !== 'all') as AttackName[]

const openRoute = (): RequestHandler => (_req, _res, next) => next()
const readsClaims = () => naiveGuard()
const readsQuery = () => naiveGuard(tokenInQuery)
const readsBody = () => naiveGuard(tokenInBody)
const anyScope = (keys: ProvisioningKeys) =>
  keys.redeemProvisioningKey({ anyScope: true, audience: AUDIENCE })
const withoutRedemption = (keys: ProvisioningKeys) =>
  keys.requireProvisioningKey({ scope: SCOPE, audience: AUDIENCE })
const bearersOnly = (keys: ProvisioningKeys): RequestHandler => {
  const redeem = honest(keys)
  return (req, res, next) =>
    /^DPoP /.test(req.headers.authorization ?? '') ? next() : redeem(req, res, next)
}
const otherAudience = (keys: ProvisioningKeys): RequestHandler => {
  const guards = [AUDIENCE, OTHER_AUDIENCE].map((audience) =>
    keys.requireProvisioningKey({ scope: SCOPE, audience }),
  )
  const audienceOf = (token: string) =>
    JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).aud
  return (req, res, next) => {
    const isOther = audienceOf(req.headers.authorization ?? '') === OTHER_AUDIENCE
    guards[isOther ? 1 : 0]?.(req, res, next)
  }
}

/** For each attack, a guard with the fault that it finds, and a part of the message. */
const BROKEN: Record<
  Exclude<AttackName, 'printed' | 'wrongKind'>,
  readonly [(keys: ProvisioningKeys) => RequestHandler, RegExp]
> = {
  withoutCredential: [
    openRoute,
    /accepted a request without a key.*redeemProvisioningKey\(\{ scope: 'devices:create' \}\)/,
  ],
  garbage: [openRoute, /accepted a made-up text/],
  expired: [readsClaims, /accepted a key that had expired/],
  revoked: [readsClaims, /accepted a key that was revoked/],
  wrongScope: [anyScope, /accepted a key with the scope devices:read only.*without anyScope/],
  wrongAudience: [otherAudience, /accepted a key for https:\/\/files\.example\.com/],
  forgedSignature: [readsClaims, /accepted a key with a forged signature/],
  embeddedKey: [readsClaims, /accepted a key that is signed with the public key in its own header/],
  publicKeyAsSecret: [readsClaims, /accepted a key with an HMAC of a public key/],
  algNone: [readsClaims, /accepted a key with alg none/],
  changedClaims: [readsClaims, /accepted a key whose claims were changed/],
  inQuery: [readsQuery, /accepted a key in the query string/],
  inBody: [readsBody, /accepted a key in the body/],
  cleartext: [readsClaims, /accepted a key over plain HTTP.*enforceHttps/],
  replay: [withoutRedemption, /accepted the same key twice.*redeemProvisioningKey/],
  race: [withoutRedemption, /accepted one key in 8 of 8 requests together/],
  dpopOtherKey: [bearersOnly, /accepted a bound key with a proof of another DPoP key/],
  dpopAsBearer: [readsClaims, /accepted a bound key without a proof, as Bearer/],
  dpopWithoutProof: [readsClaims, /accepted a bound key without a proof\./],
  dpopReplayedProof: [readsClaims, /accepted a bound key with a proof that was used before/],
  dpopOtherTarget: [bearersOnly, /accepted a bound key with a proof for another method or URL/],
}

/** For each attack with a made-up token, a guard for bound keys that it finds. */
const BROKEN_FOR_BOUND = {
  garbage: () => readsBound(tokenInHeader, openRoute()),
  forgedSignature: () => readsBound(),
  embeddedKey: () => readsBound(),
  publicKeyAsSecret: () => readsBound(),
  algNone: () => readsBound(),
  changedClaims: () => readsBound(),
  wrongAudience: () => readsBound(),
  inQuery: () => readsBound(tokenInQuery),
  inBody: () => readsBound(tokenInBody),
}

describe('an honest app', () => {
  const host = hostWith(honest)

  it('withstands every attack', async () => {
    const tried = await host.kit.attacks.all(host.app, ROUTE)
    expect([...tried].sort()).toEqual(EVERY.filter((name) => name !== 'wrongKind').sort())
  })

  it('withstands every attack on a route that does not redeem keys', async () => {
    const { app, kit } = hostWith(withoutRedemption)
    const tried = await kit.attacks.all(app, { ...ROUTE, redeems: false })
    expect(tried).not.toEqual(expect.arrayContaining(['replay']))
    expect(tried).toHaveLength(EVERY.length - 3)
  })

  it('withstands every attack on a route for access tokens', async () => {
    const { app, kit } = hostWith((keys) => keys.requireAccessToken({ scope: SCOPE, audience: AUDIENCE }))
    const tried = await kit.attacks.all(app, { ...ROUTE, credential: 'access token' })
    expect(tried).toContain('wrongKind')
    expect(tried).not.toContain('replay')
  })

  it('withstands every attack on a route for bound keys, and the owner may repeat its request', async () => {
    const tried = await host.kit.attacks.all(host.app, { ...ROUTE, dpop: true })
    expect(tried).toEqual(expect.arrayContaining(['replay', 'race']))
  })

  it('withstands every attack on a route for access tokens if the client may ask only for bound keys', async () => {
    const scopes = [SCOPE, 'devices:read', 'provision:token', 'provision:bind', 'provision:register']
    const options = { policy: { scopes, senderConstraint: 'dpop' }, observer: () => undefined } as const
    const issuer = testIssuer(provisioningKeys, { scopes: [SCOPE, 'devices:read'], options })
    const app = express().use(issuer.keys.router())
    app.post('/devices', issuer.keys.requireAccessToken({ scope: SCOPE }), (_req, res) => void res.json({}))
    const { attacks } = testKit({ ...issuer, app })
    const { otherAudience: _, ...route } = ROUTE
    expect(await attacks.all(app, { ...route, credential: 'access token', dpop: true })).toContain(
      'wrongKind',
    )
  })

  it('can be given with overHttps(), and the attack over plain HTTP still gets the app itself', async () => {
    await host.kit.attacks.cleartext(overHttps(host.app), ROUTE)
    const { app, kit } = hostWith(readsClaims)
    await expect(kit.attacks.cleartext(overHttps(app), ROUTE)).rejects.toThrow('plain HTTP')
  })
})

describe('a broken app', () => {
  it.each(Object.keys(BROKEN) as (keyof typeof BROKEN)[])('fails the attack %s', async (name) => {
    const [guard, message] = BROKEN[name]
    const { app, kit } = hostWith(guard, express.urlencoded({ extended: false }))
    const attack = kit.attacks[name](app, ROUTE)
    await expect(attack).rejects.toThrow(message)
    await expect(attack).rejects.toMatchObject({ name: 'AssertionError', code: 'ERR_ASSERTION' })
    await expect(attack).rejects.toThrow(`attacks.${name}: POST /devices `)
  })

  const bound = { ...ROUTE, dpop: true }

  it.each(Object.keys(BROKEN_FOR_BOUND) as (keyof typeof BROKEN_FOR_BOUND)[])(
    'that accepts only bound keys with a proof fails the attack %s',
    async (name) => {
      const { app, kit } = hostWith(BROKEN_FOR_BOUND[name], express.urlencoded({ extended: false }))
      await expect(kit.attacks[name](app, bound)).rejects.toThrow(BROKEN[name][1])
    },
  )

  it('that does not redeem bound keys fails the attack race', async () => {
    const { app, kit } = hostWith(withoutRedemption)
    await expect(kit.attacks.race(app, bound)).rejects.toThrow(BROKEN.race[1])
  })

  it('that reads only the header fails the attack inQuery with a bound key too', async () => {
    const { app, kit } = hostWith(() => readsBound())
    await expect(kit.attacks.inQuery(app, bound)).rejects.toThrow(
      /in the query string.*must run before other/,
    )
  })

  it('fails the attack wrongKind if it accepts keys in place of access tokens', async () => {
    const { app, kit } = hostWith(readsClaims)
    const attack = kit.attacks.wrongKind(app, { ...ROUTE, credential: 'access token' })
    await expect(attack).rejects.toThrow(
      /accepted a provisioning key in place of an access token.*requireAccessToken/,
    )
  })

  it('that accepts only bound keys with a proof fails the attack wrongKind', async () => {
    const { app, kit } = hostWith(() => readsBound())
    const attack = kit.attacks.wrongKind(app, { ...bound, credential: 'access token' })
    await expect(attack).rejects.toThrow('accepted a provisioning key in place of an access token')
  })

  it('fails if it prints the key, and the message does not contain the key', async () => {
    const printsHeaders: RequestHandler = (req, _res, next) => {
      process.stdout.write(JSON.stringify(req.headers))
      next()
    }
    const { app, kit } = hostWith(honest, printsHeaders)
    const write = jest.spyOn(process.stdout, 'write').mockReturnValue(true)
    const error = await kit.attacks.printed(app, ROUTE).catch((thrown: Error) => thrown)
    write.mockRestore()
    expect(String(error)).toMatch(
      /printed a secret\. Expected no key.*\n {2}captured.*a provisioning key \(key_id [\w-]{27}\)/,
    )
    kit.expectNoKeyIn([error])
  })

  it('fails if its refusal repeats the key', async () => {
    const { app, kit } = hostWith((keys) => {
      const guard = honest(keys)
      return (req, res, next) => {
        const { authorization } = req.headers
        if (req.query['access_token'] === undefined) guard(req, res, next)
        else res.status(401).json({ unexpected: req.query, authorization })
      }
    })
    const error = await kit.attacks.inQuery(app, ROUTE).catch((thrown: unknown) => thrown)
    expect(String(error)).toMatch(
      /repeats the credential in its refusal.*\n {2}captured\.text contains a provisioning key/,
    )
    kit.expectNoKeyIn([error])
  })
})

describe('an attack proves nothing, and fails', () => {
  const { app, kit }: Host = hostWith(honest)

  it('if the app refuses an honest request', async () => {
    const attack = kit.attacks.replay(app, { ...ROUTE, path: '/device?name=lamp' })
    await expect(attack).rejects.toThrow(
      'attacks.replay: POST /device answered 404 to an honest request with a new key, so an attack would prove nothing.',
    )
  })

  it('and names the refusal of an honest request', async () => {
    const wrongScope = kit.attacks.replay(app, { ...ROUTE, scope: 'devices:read', otherScope: SCOPE })
    await expect(wrongScope).rejects.toThrow('POST /devices answered 403 insufficient_scope')
  })

  it('but repeats no key that the app repeats in its refusal', async () => {
    const repeats = hostWith(() => (req, res) => {
      res.status(400).json({ error: 'bad', error_description: req.headers.authorization })
    })
    const error = await repeats.kit.attacks.replay(repeats.app, ROUTE).catch((one) => one)
    expect(error.message).toContain('answered 400 to an honest request')
    repeats.kit.expectNoKeyIn(error)
  })

  it('if a member of the route or an excepted attack is misspelled', async () => {
    const route = { ...ROUTE, otherAudiance: OTHER_AUDIENCE }
    await expect(kit.attacks.all(app, route)).rejects.toThrow(
      'route.otherAudiance: expected a known option; did you mean otherAudience?',
    )
    const { method: _, ...without } = ROUTE
    await expect(kit.attacks.replay(app, without as AttackedRoute)).rejects.toThrow(
      'route.method: expected a method, such as POST, got undefined',
    )
    const except = ['replays'] as unknown as readonly AttackName[]
    await expect(kit.attacks.all(app, ROUTE, { except })).rejects.toThrow('attacks.all.except[0]: expected ')
  })

  it('if the app answers 500 to it', async () => {
    const crashes = hostWith(() => (req, _res, next) => {
      next(req.headers.authorization === undefined ? new Error('cannot read') : undefined)
    })
    crashes.app.set('env', 'test')
    const attack = crashes.kit.attacks.withoutCredential(crashes.app, ROUTE)
    await expect(attack).rejects.toThrow('answered 500 to an attack. A refusal has a status from 400 to 499')
  })

  it('if the app has counted too many requests', async () => {
    const limits = hostWith(() => (req, res, next) => {
      if (req.headers.authorization === undefined) res.status(429).end()
      else next()
    })
    const attack = limits.kit.attacks.withoutCredential(limits.app, ROUTE)
    await expect(attack).rejects.toThrow('answered 429 (too many requests). Set rateLimit: false')
  })

  it('if the kit has no other scope or audience for it', async () => {
    const { otherAudience: _, ...route } = ROUTE
    await expect(kit.attacks.wrongAudience(app, route)).rejects.toThrow('needs `otherAudience`')
    const all = { ...route, scope: [SCOPE, 'devices:read', 'provision:token'] }
    const whole = hostWith((keys) => keys.requireProvisioningKey({ scope: SCOPE, audience: AUDIENCE }))
    await expect(whole.kit.attacks.wrongScope(whole.app, all)).rejects.toThrow('needs `otherScope`')
  })
})
