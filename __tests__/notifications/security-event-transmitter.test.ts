import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { thumbprint } from '../../lib/jose/jwk.js'
import { securityEventTransmitter } from '../../lib/notifications/notifications.js'
import type { SecurityEventTransmitter } from '../../lib/notifications/security-event-transmitter.js'
import type {
  SecurityEventReceiverOptions,
  SecurityEventTransmitterOptions,
} from '../../lib/notifications/security-event-transmitter-options.js'
import {
  type Answering,
  quickDelivery,
  type Receiver,
  replayEvent,
  startReceiver,
  until,
} from '../support/receiver'
import { exchangeKey, obtainKey, postForm } from '../support/requests'
import { AUDIENCE, CLIENT, SECRET, startServer } from '../support/server'

const ISSUER = 'https://auth.example.com'
const RECEIVER = 'https://soc.example.com'
const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/'
const signingKeys = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const closers: (() => unknown)[] = []

afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()))
})

interface Plan {
  readonly receiver?: Partial<SecurityEventReceiverOptions>
  readonly options?: Partial<SecurityEventTransmitterOptions>
  readonly answer?: Answering
}

async function setUp({ receiver: given, options, answer }: Plan = {}) {
  const receiver = await startReceiver(answer)
  const { deadLetters, options: delivery } = quickDelivery(receiver)
  const transmitter = securityEventTransmitter({
    issuer: ISSUER,
    signingKeys,
    receiver: { url: receiver.url, audience: RECEIVER, ...given },
    ...delivery,
    ...options,
  })
  closers.push(transmitter.close, receiver.close)
  return { receiver, deadLetters, transmitter }
}

/** Verifies a pushed token as a receiver does, with another library. */
async function verified(transmitter: SecurityEventTransmitter, { received }: Receiver, index = 0) {
  const keys = createLocalJWKSet(JSON.parse(JSON.stringify(transmitter.jwks())))
  const { payload } = await jwtVerify(received[index]?.body ?? '', keys, {
    algorithms: ['RS256'],
    typ: 'secevent+jwt',
    issuer: ISSUER,
    audience: RECEIVER,
  })
  return payload
}

const refusal =
  (body: object | string, status = 400): Answering =>
  (res, attempt) => {
    if (attempt > 1) return res.writeHead(202).end()
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return res.writeHead(status, { 'content-type': 'application/json' }).end(text)
  }

describe('a Security Event Token', () => {
  it('is pushed as RFC 8935 says, and jose verifies it', async () => {
    const { receiver, transmitter } = await setUp({ receiver: { authorization: 'Bearer abc' } })
    expect(transmitter.observer(replayEvent())).toBeUndefined()
    await until(() => transmitter.stats().delivered === 1)
    expect(receiver.received[0]?.headers).toMatchObject({
      'content-type': 'application/secevent+jwt',
      accept: 'application/json',
      authorization: 'Bearer abc',
    })
    const [{ kid } = {}] = transmitter.jwks().keys
    expect(decodeProtectedHeader(receiver.received[0]?.body ?? '')).toEqual({
      alg: 'RS256',
      typ: 'secevent+jwt',
      kid,
    })
    expect(await verified(transmitter, receiver)).toEqual({
      iss: ISSUER,
      aud: RECEIVER,
      jti: expect.stringMatching(/^[\w-]{36}$/),
      iat: expect.any(Number),
      txn: '0af7651916cd43dd8448eb211c80319c',
      sub_id: { format: 'iss_sub', iss: ISSUER, sub: 'device:7' },
      events: {
        [`${CAEP}session-revoked`]: {
          event_timestamp: 1_795_953_600,
          initiating_entity: 'policy',
          reason_admin: { en: 'The redeemed key key-1 was used again.' },
        },
      },
    })
  })

  it('has no txn if the event has no trace', async () => {
    const { receiver, transmitter } = await setUp()
    transmitter.observer(replayEvent({ traceId: undefined }))
    await until(() => transmitter.stats().delivered === 1)
    expect(await verified(transmitter, receiver)).not.toHaveProperty('txn')
  })

  it('is the same in each attempt', async () => {
    const { receiver, transmitter } = await setUp({
      answer: (res, attempt) => res.writeHead(attempt < 3 ? 503 : 202).end(),
    })
    transmitter.observer(replayEvent())
    await until(() => transmitter.stats().delivered === 1)
    expect(receiver.received).toHaveLength(3)
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1)
  })

  it('is sent for the chosen types only', async () => {
    const { receiver, transmitter } = await setUp({ options: { types: ['client.deleted'] } })
    transmitter.observer(replayEvent())
    transmitter.observer(replayEvent({ type: 'client.deleted', by: 'operator' }))
    await until(() => transmitter.stats().delivered === 1)
    expect(receiver.received).toHaveLength(1)
  })

  it('is not sent for events without a CAEP event', async () => {
    const { receiver, transmitter } = await setUp()
    for (const type of ['key.issued', 'request.refused', 'constructor', '__proto__'])
      transmitter.observer(replayEvent({ type }))
    transmitter.observer(replayEvent({ familyRevoked: false }))
    expect(transmitter.stats()).toMatchObject({ queued: 0, deadLetters: 0 })
    expect(receiver.received).toEqual([])
  })

  it('names the subject of the keys and tokens of a real server', async () => {
    const { receiver, transmitter } = await setUp()
    const server = await startServer({ options: { observer: transmitter.observer } })
    closers.push(server.close)
    const revoke = (token: string) => postForm(server, '/oauth/revoke', { token }).auth(CLIENT, SECRET)
    const key = () => obtainKey(server, { requested_subject: 'device:9', resource: AUDIENCE })
    await revoke(await key()).expect(200)
    await revoke((await exchangeKey(server, await key()).expect(200)).body.access_token).expect(200)
    const redeemed = await key()
    await exchangeKey(server, redeemed).expect(200)
    await exchangeKey(server, redeemed).expect(400)
    const other = await key()
    await exchangeKey(server, other).expect(200)
    const { jti: keyId = '' } = decodeJwt(other)
    await server.keys.revokeFamily({ clientId: CLIENT, keyId })
    await until(() => transmitter.stats().delivered === 4)
    const tokens = await Promise.all(
      receiver.received.map((_, index) => verified(transmitter, receiver, index)),
    )
    expect(tokens.map(({ sub_id }) => sub_id)).toEqual(
      Array(4).fill({ format: 'iss_sub', iss: ISSUER, sub: 'device:9' }),
    )
    const kinds = tokens.flatMap(({ events }) =>
      Object.entries(events as Record<string, { initiating_entity: string }>).map(
        ([type, members]) => `${type.replace(CAEP, '')} by ${members.initiating_entity}`,
      ),
    )
    expect(kinds.sort()).toEqual([
      'credential-change by user',
      'session-revoked by admin',
      'session-revoked by policy',
      'session-revoked by user',
    ])
  })
})

describe('a receiver of tokens', () => {
  it.each([
    ['invalid_request'],
    ['invalid_key'],
    ['invalid_issuer'],
    ['invalid_audience'],
    ['authentication_failed'],
    ['access_denied'],
  ])('refuses a token for good with 400 and %s', async (err) => {
    const answer = refusal({ err, description: 'Bearer abc is wrong' })
    const { transmitter, deadLetters } = await setUp({ answer, receiver: { authorization: 'Bearer abc' } })
    transmitter.observer(replayEvent())
    await until(() => deadLetters.length === 1)
    expect(deadLetters).toEqual([
      {
        id: expect.stringMatching(/^[\w-]{36}$/),
        type: 'key.replayed',
        reason: 'rejected',
        detail: `400 ${err}`,
        attempts: 1,
      },
    ])
  })

  it.each([
    ['another code', refusal({ err: 'Bearer abc' }), '400'],
    ['no JSON', refusal('<html>'), '400'],
    ['a JSON text', refusal('"invalid_key"'), '400'],
    ['an endless answer', refusal(`{"err":"invalid_key","description":"${'a'.repeat(200_000)}"}`), '400'],
    ['200, which is no receipt', refusal('{}', 200), '200'],
    ['204, which is no receipt', refusal('', 204), '204'],
    ['410', refusal('', 410), '410'],
    ['401', refusal('', 401), '401'],
  ])('refuses a token for good with %s', async (_, answer, detail) => {
    const { transmitter, deadLetters } = await setUp({ answer })
    transmitter.observer(replayEvent())
    await until(() => deadLetters.length === 1)
    expect(deadLetters).toMatchObject([{ reason: 'rejected', detail, attempts: 1 }])
    expect(transmitter.stats().state).toBe('open')
  })

  it.each([
    ['401', refusal('', 401)],
    ['authentication_failed', refusal({ err: 'authentication_failed' })],
  ])('gets a token again after %s, if the authorization is renewed', async (_, answer) => {
    let made = 0
    const authorization = async () => {
      made += 1
      return `Bearer ${made}`
    }
    const { receiver, transmitter } = await setUp({ answer, receiver: { authorization } })
    transmitter.observer(replayEvent())
    await until(() => transmitter.stats().delivered === 1)
    expect(receiver.received.map(({ headers }) => headers.authorization)).toEqual(['Bearer 1', 'Bearer 2'])
  })

  it.each([
    ['throws', () => Promise.reject(new Error('the secret is hunter2'))],
    ['returns no header', () => 'a\r\nb: hunter2'],
    ['returns nothing', () => undefined as never],
    ['hangs', () => new Promise<string>(() => undefined)],
  ])('gets nothing while authorization() %s', async (_, authorization) => {
    const { receiver, transmitter, deadLetters } = await setUp({
      receiver: { authorization },
      options: { giveUpAfterSeconds: 0.2, timeoutSeconds: 0.1 },
    })
    transmitter.observer(replayEvent())
    await until(() => deadLetters.length === 1)
    expect(deadLetters).toMatchObject([{ reason: 'expired', detail: 'AUTHORIZATION_FAILED' }])
    expect(receiver.connections()).toBe(0)
  })

  it('verifies the tokens of all processes during a rotation, with the JWK Set of any of them', async () => {
    const newKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const [old, next] = [newKey(), newKey()]
    const steps = [old, [old, next], [next, createPublicKey(old)], next]
    const processes = await Promise.all(steps.map((keys) => setUp({ options: { signingKeys: keys } })))
    for (const { transmitter } of processes) transmitter.observer(replayEvent())
    await until(() => processes.every(({ transmitter }) => transmitter.stats().delivered === 1))
    const kids = processes.map(({ receiver }) => decodeProtectedHeader(receiver.received[0]?.body ?? '').kid)
    expect(kids).toEqual([thumbprint(old), thumbprint(old), thumbprint(next), thumbprint(next)])
    // In each step, some processes have the keys of the step before.
    for (const step of [1, 2, 3]) {
      const both = processes.slice(step - 1, step + 1)
      for (const { receiver } of both)
        for (const { transmitter } of both) await verified(transmitter, receiver)
    }
  })

  it('finds only the public key in jwks()', () => {
    const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const receiver = { url: 'https://soc.example.com/', audience: RECEIVER }
    const { keys } = securityEventTransmitter({ issuer: ISSUER, signingKeys: key, receiver }).jwks()
    expect(keys).toEqual([
      {
        kty: 'RSA',
        n: key.export({ format: 'jwk' }).n,
        e: 'AQAB',
        kid: expect.any(String),
        alg: 'RS256',
        use: 'sig',
      },
    ])
  })
})
