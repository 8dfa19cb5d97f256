import { generateKeyPairSync } from 'node:crypto'
import type { Test } from 'supertest'
import { generateSigningKeys, type ProvisioningOptions, type VerifierOptions } from '../../../lib/index.js'
import { forgeKey } from '../../support/forge.js'
import { prover } from '../../support/prover.js'
import { askForKey, exchangeKey, obtainKey, postForm, send } from '../../support/requests.js'
import { AUDIENCE, CLIENT, ISSUER, OTHER_AUDIENCE, type RunningServer, SECRET } from '../../support/server.js'
import { API, askingOptions, type RunningApi, startApi, startIssuer } from '../../support/split.js'

interface Split {
  readonly issuer: RunningServer
  readonly api: RunningApi
}

const READ = { scope: 'devices:read' }

/** An issuer and an API that introspects at it, as two servers. */
async function withSplit(
  test: (split: Split) => Promise<void>,
  {
    issuing,
    verifying,
  }: { issuing?: Partial<ProvisioningOptions>; verifying?: Partial<VerifierOptions> } = {},
): Promise<void> {
  const issuer = await startIssuer(issuing)
  try {
    const api = await startApi(await askingOptions(issuer, verifying))
    await test({ issuer, api }).finally(() => api.close())
  } finally {
    await issuer.close()
  }
}

function present(api: RunningApi, key: string, scheme = 'Bearer'): Test {
  return send(api, 'get', '/devices').set('Authorization', `${scheme} ${key}`)
}

describe('an API that asks the issuer how keys stand', () => {
  it('passes a key, and says who presented it', () =>
    withSplit(async ({ issuer, api }) => {
      const { body } = await askForKey(issuer, { ...READ, requested_subject: 'device:7' })
      const answered = await present(api, body.access_token).expect(200)
      const identity = {
        clientId: CLIENT,
        subject: 'device:7',
        audience: AUDIENCE,
        issuer: ISSUER,
        keyId: body.key_id,
      }
      expect(answered.body).toMatchObject(identity)
      expect(api.events).toMatchObject([{ type: 'key.verified', keyId: body.key_id, clientId: CLIENT }])
      await present(api, body.access_token).expect(200)
    }))

  it.each<[string, (issuer: RunningServer, key: string) => Test]>([
    [
      'revoked by its client',
      (issuer, key) => postForm(issuer, '/oauth/revoke', { token: key }).auth(CLIENT, SECRET),
    ],
    ['redeemed', (issuer, key) => exchangeKey(issuer, key)],
  ])('immediately refuses a key that was %s at the issuer', (_, spend) =>
    withSplit(async ({ issuer, api }) => {
      const key = await obtainKey(issuer, { scope: 'devices:read provision:token' })
      await present(api, key).expect(200)
      await spend(issuer, key).expect(200)
      const refused = await present(api, key).expect(401)
      expect(refused.headers['www-authenticate']).toMatch(
        /^Bearer realm="auth\.example\.com", resource_metadata="https:\/\/api\.example\.com\/\.well-known\/oauth-protected-resource", error="invalid_token"/,
      )
      expect(refused.body.error_description).toBe('The provisioning key is not accepted.')
      expect(api.events.at(-1)).toMatchObject({
        type: 'request.refused',
        reason: 'inactive_at_issuer',
        clientId: CLIENT,
      })
    }),
  )

  it('publishes the metadata that its challenges point to (RFC 9728)', () =>
    withSplit(async ({ api }) => {
      const { headers } = await send(api, 'get', '/devices').expect(401)
      const [, url = ''] = /resource_metadata="([^"]+)"/.exec(String(headers['www-authenticate'])) ?? []
      const answered = await send(api, 'get', new URL(url).pathname).expect(200)
      expect(answered.body).toMatchObject({ resource: AUDIENCE, authorization_servers: [ISSUER] })
      expect(answered.headers['cache-control']).toBe('public, max-age=300')
      await send(api, 'post', new URL(url).pathname).expect(405)
      await send(api, 'get', `${new URL(url).pathname}?access_token=a`).expect(400)
      await send(api, 'get', '/.well-known/oauth-authorization-server').expect(404)
    }))

  it('refuses after revokeAllIssuedBefore() at the issuer', () =>
    withSplit(async ({ issuer, api }) => {
      const key = await obtainKey(issuer, READ)
      await issuer.keys.revokeAllIssuedBefore(new Date())
      await present(api, key).expect(401)
    }))

  it('refuses a genuine key that the issuer has no record of, and asks about none that is forged', () =>
    withSplit(async ({ issuer, api }) => {
      const key = await obtainKey(issuer, READ)
      await present(api, forgeKey(key, { claims: { jti: 'never-recorded' } })).expect(401)
      expect(api.events.at(-1)).toMatchObject({ reason: 'inactive_at_issuer' })
      const before = issuer.events.length
      await present(api, `${key.slice(0, -4)}AAAA`).expect(401)
      await present(api, await obtainKey(issuer, { ...READ, resource: OTHER_AUDIENCE })).expect(401)
      expect(issuer.events.slice(before).map(({ type }) => type)).toEqual(['key.issued'])
    }))

  it('authenticates with a key of its own in place of a secret (RFC 7523)', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwks = { keys: [publicKey.export({ format: 'jwk' })] }
    const client = { clientId: API, jwks, policy: { scopes: [], introspectAudiences: [AUDIENCE] } }
    const issuer = await startIssuer({
      clients: [client, { clientId: CLIENT, clientSecret: SECRET, policy: { scopes: ['devices:read'] } }],
    })
    const endpoint = `${issuer.origin}/oauth/introspect`
    const introspection = { endpoint, clientId: API, clientKey: privateKey }
    const api = await startApi(await askingOptions(issuer, { introspection }))
    try {
      const key = await obtainKey(issuer, READ)
      await present(api, key).expect(200)
      await present(api, key).expect(200)
    } finally {
      await Promise.all([api.close(), issuer.close()])
    }
  })

  it('can be a client of any name and secret', async () => {
    const [clientId, clientSecret] = ['api: ü+%'.replace('ü', '&'), 'a+b/c=:& %41é, and a few more words']
    const client = { clientId, clientSecret, policy: { scopes: [], introspectAudiences: [AUDIENCE] } }
    const issuer = await startIssuer({
      clients: [client, { clientId: CLIENT, clientSecret: SECRET, policy: { scopes: ['devices:read'] } }],
    })
    const introspection = { endpoint: `${issuer.origin}/oauth/introspect`, clientId, clientSecret }
    const api = await startApi(await askingOptions(issuer, { introspection }))
    try {
      await present(api, await obtainKey(issuer, READ)).expect(200)
    } finally {
      await Promise.all([api.close(), issuer.close()])
    }
  })

  it('cannot redeem, and says why when it is made', () =>
    withSplit(async ({ api }) => {
      expect(() => api.verifier.redeemProvisioningKey({ scope: 'devices:create' })).toThrow(
        /^redeemProvisioningKey: expected a store, got introspection/,
      )
    }))

  it('accepts an access token until the family of its key is revoked', () =>
    withSplit(async ({ issuer, api }) => {
      const key = await obtainKey(issuer, { scope: 'devices:read provision:token' })
      const { body } = await exchangeKey(issuer, key).expect(200)
      const order = () => send(api, 'get', '/orders').set('Authorization', `Bearer ${body.access_token}`)
      expect((await order().expect(200)).body).toMatchObject({ subject: CLIENT, audience: AUDIENCE })
      await exchangeKey(issuer, key).expect(400)
      await order().expect(401)
      expect(api.events.at(-1)).toMatchObject({ reason: 'inactive_at_issuer', tokenId: expect.any(String) })
    }))
})

describe('an API that asks the issuer, and keys that are bound', () => {
  async function boundKey(issuer: RunningServer) {
    const holder = prover()
    const proof = holder.prove('POST', `${ISSUER}/oauth/token`)
    const { body } = await askForKey(issuer, READ).set('DPoP', proof).expect(200)
    return { holder, key: body.access_token as string }
  }

  const URL_OF_API = `${AUDIENCE}/devices`

  it('wants a proof for each request, each good for one', () =>
    withSplit(async ({ issuer, api }) => {
      const { holder, key } = await boundKey(issuer)
      const proof = holder.prove('GET', URL_OF_API, key)
      const answered = await present(api, key, 'DPoP').set('DPoP', proof).expect(200)
      expect(answered.body.proofKeyThumbprint).toMatch(/^[\w-]{43}$/)
      await present(api, key, 'DPoP').set('DPoP', proof).expect(401)
      expect(api.events.at(-1)).toMatchObject({ reason: 'dpop_replayed' })
      await present(api, key, 'DPoP')
        .set('DPoP', holder.prove('GET', URL_OF_API, key))
        .expect(200)
    }))

  it('refuses them as Bearer, without a proof, and with the proof of another', () =>
    withSplit(async ({ issuer, api }) => {
      const { key } = await boundKey(issuer)
      await present(api, key).expect(401)
      await present(api, key, 'DPoP').expect(401)
      await present(api, key, 'DPoP')
        .set('DPoP', prover().prove('GET', URL_OF_API, key))
        .expect(401)
      expect(api.events.map((event) => 'reason' in event && event.reason)).toEqual([
        'possession_unproven',
        'possession_unproven',
        'possession_unproven',
      ])
    }))

  it('tells the holder precisely that the key is active no more', () =>
    withSplit(async ({ issuer, api }) => {
      const { holder, key } = await boundKey(issuer)
      await postForm(issuer, '/oauth/revoke', { token: key }).auth(CLIENT, SECRET).expect(200)
      const proof = holder.prove('GET', URL_OF_API, key)
      const descriptions: string[] = []
      for (const _ of ['once', 'again']) {
        const { body } = await present(api, key, 'DPoP').set('DPoP', proof).expect(401)
        descriptions.push(body.error_description)
      }
      expect(descriptions).toEqual([
        'The issuer says that the key is not active.',
        'The DPoP proof has been used before.',
      ])
    }))

  it("honours the issuer's nonces when it has their secret", () => {
    const dpop = { nonceSecret: 'a secret of at least 32 characters' }
    return withSplit(
      async ({ issuer, api }) => {
        const holder = prover()
        const ask = (claims?: object) =>
          askForKey(issuer, READ).set(
            'DPoP',
            holder.prove('POST', `${ISSUER}/oauth/token`, undefined, { ...claims }),
          )
        const nonce = (await ask().expect(400)).headers['dpop-nonce']
        const { body } = await ask({ nonce }).expect(200)
        const key: string = body.access_token
        const call = (claims?: Record<string, unknown>) =>
          present(api, key, 'DPoP').set('DPoP', holder.prove('GET', URL_OF_API, key, claims))
        const wanted = await call().expect(401)
        expect(wanted.headers).toMatchObject({ 'dpop-nonce': nonce })
        expect(wanted.headers['www-authenticate']).toMatch(/^DPoP .*error="use_dpop_nonce"/)
        await call({ nonce }).expect(200)
      },
      { issuing: { dpop }, verifying: { dpop } },
    )
  })
})

describe('an API that asks an issuer whose signing keys change', () => {
  it('fetches them once for the first key of a new one', () => {
    const clock = { ahead: 0 }
    return withSplit(
      async ({ issuer, api }) => {
        const first = await obtainKey(issuer, READ)
        await present(api, first).expect(200)
        await issuer.keys.rotateSigningKey()
        clock.ahead = 1_100
        const second = await obtainKey(issuer, READ)
        const answers = await Promise.all(Array.from({ length: 10 }, () => present(api, second)))
        expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
        await present(api, first).expect(200)
      },
      { verifying: { jwksCache: { cooldownSeconds: 1 }, now: () => Date.now() + clock.ahead } },
    )
  })

  it('passes keys of a signing key that was published before it signed, without any delay', () =>
    withSplit(async ({ issuer, api }) => {
      const [next] = generateSigningKeys()
      await issuer.keys.addSigningKey(next)
      await present(api, await obtainKey(issuer, READ)).expect(200)
      await issuer.keys.rotateSigningKey(next)
      await present(api, await obtainKey(issuer, READ)).expect(200)
    }))

  it('refuses what a key signed that is no longer published, once it has fetched', () => {
    const clock = { ahead: 0 }
    return withSplit(
      async ({ issuer, api }) => {
        const old = await obtainKey(issuer, READ)
        await present(api, old).expect(200)
        const { retired } = await issuer.keys.rotateSigningKey()
        await issuer.keys.removeSigningKey(retired.kid)
        // The API asks the issuer about every key, so this works immediately.
        await present(api, old).expect(401)
        expect(api.events.at(-1)).toMatchObject({ reason: 'inactive_at_issuer' })
        clock.ahead = 1_100
        await present(api, await obtainKey(issuer, READ)).expect(200)
        await present(api, old).expect(401)
        expect(api.events.at(-1)).toMatchObject({ reason: 'signing_key_unknown' })
      },
      { verifying: { jwksCache: { cooldownSeconds: 1 }, now: () => Date.now() + clock.ahead } },
    )
  })
})
