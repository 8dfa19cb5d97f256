import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Provisioned, provision, type Signer, signWith } from '../../lib/client/client.js'
import { fileState } from '../../lib/client/node.js'
import { deviceOf, failureOf, memoryOf, startIssuer, type TestIssuer } from './issuer.js'

let issuer: TestIssuer
const sent: { readonly url: string; readonly headers: Headers; readonly body: string }[] = []

beforeAll(async () => {
  issuer = await startIssuer()
})

afterAll(() => issuer.close())

beforeEach(() => {
  sent.length = 0
})

const recording: typeof fetch = (input, init) => {
  sent.push({
    url: String(input),
    headers: new Headers(init?.headers as never),
    body: String(init?.body ?? ''),
  })
  return issuer.fetch(input, init)
}

const telemetry = () => `${issuer.origin}/telemetry`

async function report(device: Provisioned, body: unknown = 'hot') {
  const headers = { 'Content-Type': 'text/plain' }
  const response = await device.fetch(telemetry(), { method: 'POST', headers, body, duplex: 'half' } as never)
  return [response.status, ((await response.json()) as { sent?: string }).sent]
}

function part(jwt: string | null, index: 0 | 1): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt?.split('.')[index] ?? '', 'base64url').toString())
}

describe('a device whose key did not have the scope provision:token', () => {
  it('learns which scopes its next key needs', async () => {
    const key = await issuer.keyFor('device:narrow', 'provision:bind telemetry:write')
    const device = await provision(deviceOf(issuer, { client: undefined, subject: undefined, key } as never))
    await expect(device.fetch(telemetry())).rejects.toThrow(
      /invalid_scope.* did not have all of provision:token telemetry:write, delete the saved state.* new key\.$/,
    )
  })
})

describe('the requests of a device', () => {
  it('have a client assertion as RFC 10070 wants it', async () => {
    const device = await provision(deviceOf(issuer, { subject: 'device:typ', fetch: recording }))
    await report(device)
    const assertions = sent.flatMap(({ body }) => new URLSearchParams(body).get('client_assertion') ?? [])
    expect(assertions).toHaveLength(1)
    expect(part(assertions[0] ?? '', 0)).toMatchObject({ typ: 'client-authentication+jwt', alg: 'ES256' })
    expect(part(assertions[0] ?? '', 1)).toMatchObject({
      aud: issuer.origin,
      iss: 'device:typ',
      sub: 'device:typ',
    })
  })

  it('have a new proof each, and share one access token', async () => {
    const device = await provision(deviceOf(issuer, { subject: 'device:share', fetch: recording }))
    await Promise.all([report(device), report(device), report(device)])
    const toApi = sent.filter(({ url }) => url === telemetry())
    expect(new Set(toApi.map(({ headers }) => headers.get('Authorization'))).size).toBe(1)
    expect(new Set(toApi.map(({ headers }) => part(headers.get('DPoP'), 1)['jti'])).size).toBe(3)
  })
})

describe('fetch() of a device', () => {
  it('gets another token if the API refuses the last one', async () => {
    const device = await provision(deviceOf(issuer, { subject: 'device:revoked', fetch: recording }))
    expect(await report(device)).toEqual([200, 'hot'])
    const { key_id: keyId } = part(sent.at(-1)?.headers.get('Authorization') ?? '', 1)
    await issuer.keys.revokeFamily({ clientId: 'device:revoked', keyId: String(keyId) })
    expect(await report(device, new TextEncoder().encode('again'))).toEqual([200, 'again'])
  })

  it('gets another token if a new request is just getting the refused one', async () => {
    let other: Promise<unknown> | undefined
    const meanwhile: typeof fetch = async (input, init) => {
      const response = await recording(input, init)
      // A request with a stream asks for its token at once.
      if (response.status === 401) other ??= report(device, new Blob(['other']).stream())
      return response
    }
    const device = await provision(deviceOf(issuer, { subject: 'device:both', fetch: meanwhile }))
    await report(device)
    const { key_id: keyId } = part(sent.at(-1)?.headers.get('Authorization') ?? '', 1)
    await issuer.keys.revokeFamily({ clientId: 'device:both', keyId: String(keyId) })
    expect(await report(device)).toEqual([200, 'hot'])
    expect(await other).toEqual([401, undefined])
  })

  it('sends a stream once', async () => {
    const device = await provision(deviceOf(issuer, { subject: 'device:stream' }))
    const stream = new Blob(['hot']).stream()
    expect(await report(device, stream)).toEqual([200, 'hot'])
  })

  it('takes a Request, and returns the refusals of the API', async () => {
    const device = await provision(deviceOf(issuer, { subject: 'device:request' }))
    const response = await device.fetch(new Request(`${issuer.origin}/nothing`, { headers: { 'X-A': 'b' } }))
    expect(response.status).toBe(404)
  })

  it('stops waiting for an access token when its request is aborted', async () => {
    let isHanging = false
    const hanging: typeof fetch = (input, init) =>
      isHanging ? new Promise(() => {}) : issuer.fetch(input, init)
    const controller = new AbortController()
    const given = { subject: 'device:hanging', fetch: hanging, signal: controller.signal }
    const device = await provision(deviceOf(issuer, given))
    isHanging = true
    const signal = AbortSignal.timeout(200)
    await expect(device.fetch(telemetry(), { signal })).rejects.toMatchObject({ name: 'TimeoutError' })
    controller.abort()
  })

  it('sends no token in cleartext', async () => {
    const device = await provision(deviceOf(issuer, { subject: 'device:clear' }))
    await expect(device.fetch('http://api.example.com/')).rejects.toThrow(
      'fetch: expected an https URL, got http:',
    )
  })

  it('says which option is missing for an access token', async () => {
    const { scope: _, ...options } = deviceOf(issuer, { subject: 'device:scopeless' })
    const device = await provision(options)
    await expect(device.fetch(telemetry())).rejects.toThrow('pass the option scope')
  })

  it('gets a new token for the action token when the first one ends, and only if there is a new key', async () => {
    const state = memoryOf()
    const key = await issuer.keyFor('device:short', 'provision:token telemetry:write')
    const { client: _, subject: __, ...options } = deviceOf(issuer, { state, action: 'token' })
    const device = await provision({ ...options, key })
    await issuer.keys.revokeAllIssuedBefore(new Date(Date.now() + 1000), { clientId: 'device:short' })
    const response = await device.fetch(telemetry(), { method: 'POST', body: 'hot' })
    expect(response.status).toBe(401)
  })
})

describe('a device that the issuer has deleted', () => {
  const remedy = (state: string) => `delete ${state}, and provision again with a new key.`

  it('learns from the error to delete its state', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'deleted-'))
    try {
      const path = join(folder, 'identity.json')
      const options = deviceOf(issuer, { subject: 'device:deleted', state: fileState(path) })
      await provision(options)
      await issuer.keys.deleteClient('device:deleted')
      await expect(report(await provision(options))).rejects.toMatchObject({
        code: 'refused',
        status: 401,
        oauthError: 'invalid_client',
        message: expect.stringMatching(`\\(invalid_client.* ${remedy(`the saved state ${path}`)}$`),
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('learns the same when it renews its binding', async () => {
    const options = deviceOf(issuer, { subject: 'device:renewing', renewAfterSeconds: 3600 })
    await provision(options)
    await issuer.keys.deleteClient('device:renewing')
    const state = options.state as ReturnType<typeof memoryOf>
    state.text = state.text?.replace(/"completedAt": \d+/, '"completedAt": 1000')
    await provision(options)
    const reason = expect.stringContaining(remedy('the saved state'))
    expect(options.progress).toContainEqual({ type: 'renewal.failed', reason })
  })
})

describe('a signer', () => {
  const pairs: [string, () => Promise<unknown>][] = [
    [
      'ES256',
      () => crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']),
    ],
    [
      'ES384',
      () => crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, false, ['sign', 'verify']),
    ],
    ['Ed25519', () => crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])],
    [
      'PS256',
      () =>
        crypto.subtle.generateKey(
          { name: 'RSA-PSS', hash: 'SHA-256', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) },
          false,
          ['sign', 'verify'],
        ),
    ],
  ]

  it.each(pairs)(
    'for %s keeps its private key out of the state, and works after a restart',
    async (name, make) => {
      const signer: Signer = await signWith((await make()) as never)
      expect(signer.algorithm).toBe(name)
      const state = memoryOf()
      const options = deviceOf(issuer, { signer, state, subject: `device:${name}` })
      await provision(options)
      expect(state.text).not.toContain('privateKey')
      const { fetch: again } = await provision(options)
      expect((await again(telemetry(), { method: 'POST', body: 'hot' })).status).toBe(200)
    },
  )

  it('other than that of the state is refused', async () => {
    const [signer, other] = await Promise.all(
      [pairs[0], pairs[0]].map(async (pair) => signWith((await pair?.[1]()) as never)),
    )
    const state = memoryOf()
    await provision(deviceOf(issuer, { signer: signer as Signer, state, subject: 'device:other' }))
    const failure = await failureOf(deviceOf(issuer, { signer: other as Signer, state }))
    expect(failure).toMatchObject({ code: 'state_unusable' })
    expect(failure.message).toContain('it belongs to another key pair than the signer')
  })
})
