import { clientKey } from '../../support/client-assertion.js'
import {
  boundKey,
  presentAt,
  proofAt,
  SITES,
  type Site,
  startWatched,
  stateOf,
  TOKEN_TARGET,
  type WatchedServer,
} from '../../support/dpop-sites.js'
import { exactly } from '../../support/exact.js'
import { decodeJwt } from '../../support/forge.js'
import { signProof } from '../../support/proof.js'
import { askForKey, exchangeKey, obtainKey, send } from '../../support/requests.js'
import { AUDIENCE, startServer } from '../../support/server.js'

const holder = clientKey()
const thief = clientKey()
let server: WatchedServer

beforeAll(async () => {
  server = await startWatched()
})

afterAll(() => server.close())

function siteOf(name: string): Site {
  const site = SITES.find((one) => one.name === name)
  if (site === undefined) throw new Error(`no site ${name}`)
  return site
}

const WITH_KEY = SITES.filter(({ form }) => form !== undefined)
const IN_HEADER = SITES.filter(({ namesKey }) => namesKey)
const RESOURCE = siteOf('requireProvisioningKey()')

/** Checks that a request is refused and changes nothing. Returns the answer and the reason. */
async function refusedFor(key: string, act: () => PromiseLike<{ status: number; body: { error?: string } }>) {
  const before = server.writes.length
  const { status, body } = await act()
  expect(server.writes.slice(before)).toEqual([])
  expect(await stateOf(server, key)).toBe('issued')
  const refusal = server.events.at(-1)
  return {
    status,
    error: body.error,
    reason: refusal?.type === 'request.refused' ? refusal.reason : undefined,
  }
}

describe.each(WITH_KEY)('a bound key that was stolen, at $name,', (site) => {
  const unproven = {
    status: site.refusal,
    error: site.refusal === 401 ? 'invalid_token' : 'invalid_request',
    reason: 'possession_unproven',
  }

  test('is of no use with the proof of the thief, and the victim redeems it afterwards', async () => {
    const key = await boundKey(server, site, holder)
    const act = () => presentAt(server, site, key, proofAt(site, thief, key))
    expect(await refusedFor(key, act)).toEqual(unproven)
    await presentAt(server, site, key, proofAt(site, holder, key)).expect(site.success)
  })

  test('is of no use without a proof', async () => {
    const key = await boundKey(server, site, holder)
    expect(await refusedFor(key, () => presentAt(server, site, key))).toEqual(unproven)
    await presentAt(server, site, key, proofAt(site, holder, key)).expect(site.success)
  })

  test('is of no use with a proof that its holder made for another key', async () => {
    const [key, other] = [await boundKey(server, site, holder), await boundKey(server, site, holder)]
    const proof = proofAt({ ...site, namesKey: true }, holder, other)
    const refused = await refusedFor(key, () => presentAt(server, site, key, proof))
    expect(refused).toMatchObject({ error: 'invalid_dpop_proof', reason: 'dpop_token_hash_wrong' })
  })
})

describe.each(IN_HEADER)('at $name', (site) => {
  const presented = (key: string, scheme: string) => {
    const request = site.presented(server, key)
    return request.set('Authorization', `${scheme} ${key}`)
  }

  test('a bound key is refused as Bearer, whatever proof comes with it (RFC 9449 7.2)', async () => {
    const key = await boundKey(server, site, holder)
    const [bare, proven] = [presented(key, 'Bearer'), presented(key, 'Bearer')]
    for (const request of [bare, proven.set('DPoP', proofAt(site, holder, key))]) {
      expect(await refusedFor(key, () => request)).toEqual({
        status: 401,
        error: 'invalid_token',
        reason: 'possession_unproven',
      })
    }
    await presentAt(server, site, key, proofAt(site, holder, key)).expect(site.success)
  })

  test('a key that is not bound is refused as DPoP, whatever proof comes with it', async () => {
    const key = await obtainKey(server, site.form?.())
    for (const proofs of [[], [proofAt(site, holder, key)]]) {
      expect(await refusedFor(key, () => presentAt(server, site, key, ...proofs))).toEqual({
        status: 401,
        error: 'invalid_token',
        reason: 'key_unbound',
      })
    }
    if (site.name !== 'bind') await presented(key, 'Bearer').expect(site.success)
  })

  test('a key that is not bound is accepted as Bearer with a proof, which is judged all the same', async () => {
    const key = await obtainKey(server, site.form?.())
    const bad = proofAt(site, holder, key, { claims: { htm: 'PUT' } })
    expect(await refusedFor(key, () => presented(key, 'Bearer').set('DPoP', bad))).toMatchObject({
      reason: 'dpop_method_wrong',
    })
    await presented(key, 'Bearer')
      .set('DPoP', proofAt(site, holder, key))
      .expect(site.success)
  })

  test.each(['dpop', 'DPOP', 'DPoP  '])('the scheme may be written %j (RFC 9110 11.1)', async (scheme) => {
    const key = await boundKey(server, site, holder)
    await presented(key, scheme)
      .set('DPoP', proofAt(site, holder, key))
      .expect(site.success)
  })
})

describe('a proof is good once', () => {
  const replayed = { error: 'invalid_dpop_proof', reason: 'dpop_replayed' }

  test('at issuance', async () => {
    const proof = signProof(holder, TOKEN_TARGET)
    const ask = () => askForKey(server, { scope: 'devices:read' }).set('DPoP', proof)
    await ask().expect(200)
    expect(await refusedFor('', ask)).toEqual({ status: 400, ...replayed })
  })

  test.each(WITH_KEY)('at $name', async (site) => {
    const key = await boundKey(server, site, holder)
    const other = await boundKey(server, site, holder)
    const proof = proofAt(site, holder, key)
    await presentAt(server, site, key, proof).expect(site.success)
    if (site.namesKey && site !== RESOURCE) return
    const refused = await refusedFor(other, () =>
      presentAt(server, site, site === RESOURCE ? key : other, proof),
    )
    expect(refused).toEqual({ status: site.refusal, ...replayed })
  })

  test('however the address is written, and with whatever query', async () => {
    const key = await boundKey(server, RESOURCE, holder)
    const proof = proofAt(RESOURCE, holder, key)
    const headers = { Authorization: `DPoP ${key}`, DPoP: proof }
    await presentAt(server, RESOURCE, key, proof).expect(200)
    for (const path of ['/devices', '/devices?a=b', '/devices?', 'https://other.example/devices']) {
      const { status, text } = await exactly(server, { method: 'GET', path, headers })
      expect([path, status, JSON.parse(text).error]).toEqual([path, 401, 'invalid_dpop_proof'])
      expect(server.events.at(-1)).toMatchObject({ reason: 'dpop_replayed' })
    }
  })

  test('also of 20 that come at the same moment', async () => {
    const key = await boundKey(server, RESOURCE, holder)
    const proof = proofAt(RESOURCE, holder, key)
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        send(server, 'get', `/devices?${i}`).set('Authorization', `DPoP ${key}`).set('DPoP', proof),
      ),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(401)])
  })

  test('also of 20 that ask for a key at the same moment: one key is issued', async () => {
    const proof = signProof(holder, TOKEN_TARGET)
    const before = server.writes.length
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => askForKey(server, { scope: 'devices:read' }).set('DPoP', proof)),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(400)])
    expect(server.writes.slice(before).sort()).toEqual(['record', 'useOnce'])
  })

  test('but may have the jti of another key, or of another place', async () => {
    const claims = { jti: `shared${Math.random()}` }
    for (const one of [holder, thief]) {
      const key = await boundKey(server, RESOURCE, one, { claims })
      await presentAt(server, RESOURCE, key, proofAt(RESOURCE, one, key, { claims })).expect(200)
    }
  })

  test('though two guards stand before one route', async () => {
    const guarded = await startServer({
      mount: (app, keys) => {
        const guard = () => keys.requireProvisioningKey({ anyScope: true, audience: AUDIENCE })
        app.use(keys.issuance())
        app.get('/devices', guard(), guard(), (_req, res) => void res.sendStatus(204))
      },
    })
    try {
      const key = await boundKey(guarded, RESOURCE, holder)
      const proof = proofAt(RESOURCE, holder, key)
      await presentAt(guarded, RESOURCE, key, proof).expect(204)
      await presentAt(guarded, RESOURCE, key, proof).expect(401)
    } finally {
      await guarded.close()
    }
  })
})

describe('what a proof is for', () => {
  test('is the path as requested, not the path below a router', async () => {
    const nested = await startServer({
      mount: (app, keys) => {
        app.use(keys.issuance())
        app.use(
          '/v1',
          keys.requireProvisioningKey({ anyScope: true, audience: AUDIENCE }),
          (_req, res) => void res.sendStatus(204),
        )
      },
    })
    try {
      const key = await boundKey(nested, RESOURCE, holder)
      const ask = (url: string) =>
        send(nested, 'get', '/v1/devices?a=b')
          .set('Authorization', `DPoP ${key}`)
          .set('DPoP', signProof(holder, { method: 'GET', url }, { token: key }))
      await ask(`${AUDIENCE}/devices`).expect(401)
      await ask(`${AUDIENCE}/v1/devices`).expect(204)
    } finally {
      await nested.close()
    }
  })

  test('is the method as sent, HEAD too', async () => {
    const key = await boundKey(server, RESOURCE, holder)
    const head = (method: string) =>
      send(server, 'head', '/devices')
        .set('Authorization', `DPoP ${key}`)
        .set('DPoP', signProof(holder, { ...RESOURCE.target, method }, { token: key }))
    await head('GET').expect(401)
    await head('HEAD').expect(200)
  })

  test('does not depend on the Host header, nor on a host in the request line', async () => {
    const key = await boundKey(server, RESOURCE, holder)
    const ask = (url: string) => {
      const DPoP = signProof(holder, { method: 'GET', url }, { token: key })
      const headers = { Host: 'evil.example', Authorization: `DPoP ${key}`, DPoP }
      return exactly(server, { method: 'GET', path: 'https://evil.example/devices', headers })
    }
    expect((await ask('https://evil.example/devices')).status).toBe(401)
    expect((await ask(`${AUDIENCE}/devices`)).status).toBe(200)
  })
})

describe('the result of a bound key', () => {
  test('is bound to the same key: the access token says so, introspection and req.provisioning too', async () => {
    const asked = await askForKey(server, { scope: 'provision:token devices:read' }).set(
      'DPoP',
      signProof(holder, TOKEN_TARGET),
    )
    const key = asked.body.access_token
    const { jkt } = decodeJwt(key).payload.cnf as { jkt: string }
    expect(asked.body.token_type).toBe('DPoP')
    expect(jkt).toMatch(/^[\w-]{43}$/)
    expect(
      server.events.find((one) => one.type === 'key.issued' && one.keyId === asked.body.key_id),
    ).toMatchObject({
      confirmation: { jkt },
    })
    const seen = await presentAt(server, RESOURCE, key, proofAt(RESOURCE, holder, key)).expect(200)
    expect(seen.body.proofKeyThumbprint).toBe(jkt)
    const { body } = await exchangeKey(server, key).set('DPoP', signProof(holder, TOKEN_TARGET)).expect(200)
    expect(body.token_type).toBe('DPoP')
    expect(decodeJwt(body.access_token).payload.cnf).toEqual({ jkt })
  })

  test('of a key that is not bound is bound to the proof it is exchanged with', async () => {
    const key = await obtainKey(server, { scope: 'provision:token devices:read' })
    const { body } = await exchangeKey(server, key).set('DPoP', signProof(holder, TOKEN_TARGET)).expect(200)
    expect(body.token_type).toBe('DPoP')
    expect(decodeJwt(body.access_token).payload.cnf).toMatchObject({ jkt: expect.any(String) })
  })

  test('is its proof key, where it is bound without another', async () => {
    const bind = siteOf('bind')
    const key = await boundKey(server, bind, holder)
    const { body } = await presentAt(server, bind, key, proofAt(bind, holder, key)).expect(201)
    expect(body.cnf).toEqual(decodeJwt(key).payload.cnf)
  })
})

describe('a client that must ask with a proof', () => {
  const clients = [
    {
      clientId: 'ci-runner',
      clientSecret: 'correct-horse-battery-staple',
      policy: { senderConstraint: 'dpop' },
    },
  ] as const

  test('gets no key without one, and a bound one with it', async () => {
    const strict = await startWatched({ clients })
    try {
      const refused = await askForKey(strict, { scope: 'devices:read' })
      expect([refused.status, refused.body.error]).toEqual([400, 'invalid_dpop_proof'])
      expect(strict.events.at(-1)).toMatchObject({ reason: 'dpop_missing', clientId: 'ci-runner' })
      expect(strict.writes).toEqual([])
      await boundKey(strict, RESOURCE, holder)
    } finally {
      await strict.close()
    }
  })
})
