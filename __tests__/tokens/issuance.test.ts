import { decodeJwt } from 'jose'
import { hashSecret } from '../../lib/base/secret.js'
import type { ProvisioningStore } from '../../lib/ports/store.js'
import { memoryStore } from '../../lib/stores/memory/memory.js'
import { issueKey as issueWith } from '../../lib/tokens/issuance.js'
import {
  authenticated,
  deployed,
  issueKey,
  keyRequest,
  reasonOf,
  refusalOf,
  SECRET,
  START,
  storeBut,
} from '../support/deployed.js'

async function refusedWith(overrides: object, asked: Record<string, string> = {}) {
  const given = deployed(overrides)
  const client = await authenticated(given.deployment)
  const refusal = await refusalOf(() => issueWith(given.deployment, client, keyRequest(asked)))
  return { refusal, ...given }
}

describe('issue', () => {
  it('records the key before it is handed out, and tells of it without a word of it', async () => {
    const { deployment, events } = deployed()
    const { key, record } = await issueKey(
      { deployment },
      { requested_expiry: '60', requested_subject: 'device:7' },
    )
    expect(await deployment.store.find(record)).toMatchObject({
      ...record,
      state: 'issued',
      familyRevoked: false,
    })
    const { jti: keyId, clientId, subject, scope, audience, expiresAt } = record
    expect(events).toEqual([
      {
        type: 'key.issued',
        code: 'key.issued',
        address: '192.0.2.1',
        authenticationMethod: 'client_secret_post',
        at: new Date(START * 1000),
        severity: 'info',
        keyId,
        clientId,
        subject,
        scope,
        audience,
        expiresAt,
      },
    ])
    expect([subject, expiresAt]).toEqual(['device:7', START + 60])
    for (const part of key.split('.')) expect(JSON.stringify([events, record])).not.toContain(part)
  })

  it('signs the recorded key', async () => {
    const { key, record } = await issueKey(deployed())
    const { jti, client_id, sub, scope, aud, iat, exp } = decodeJwt(key)
    const { clientId, subject, audience, issuedAt, expiresAt } = record
    const recorded = [record.jti, clientId, subject, record.scope.join(' '), audience, issuedAt, expiresAt]
    expect([jti, client_id, sub, scope, aud, iat, exp]).toEqual(recorded)
  })

  it('never issues the same key twice', async () => {
    const given = deployed()
    const keys = await Promise.all(Array.from({ length: 20 }, () => issueKey(given)))
    expect(new Set(keys.map(({ record }) => record.jti)).size).toBe(20)
  })

  it('is not altered by an observer of it', async () => {
    const given = deployed({
      observer: (event) => 'scope' in event && Reflect.set(event.scope, '0', 'admin'),
    })
    const { record, verified } = await issueKey(given)
    expect([record.scope, verified.scope].flat()).not.toContain('admin')
  })

  it('tells the client precisely what policy refuses, and whom it refused', async () => {
    const { refusal, events } = await refusedWith({}, { scope: 'admin' })
    expect(refusal).toMatchObject({
      reason: 'scope_not_permitted',
      disclosed: true,
      facts: { clientId: 'ci-runner' },
    })
    expect(events).toEqual([])
  })

  it('refuses a client that has not registered the grant', async () => {
    const metadata = { grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'] }
    const clients = [{ clientId: 'ci-runner', secretHash: hashSecret(SECRET), metadata }]
    const { refusal } = await refusedWith({ clients }, { scope: 'devices:read' })
    expect(refusal).toMatchObject({
      reason: 'grant_not_permitted',
      code: 'unauthorized_client',
      disclosed: true,
    })
  })

  it('refuses a client that has too many keys outstanding, until one is spent', async () => {
    const given = deployed({
      policy: { scopes: ['provision:token', 'devices:read'], outstandingKeys: 2 },
      clients: [CI],
    })
    const first = await issueKey(given)
    await issueKey(given)
    const refusal = await refusalOf(() => issueKey(given))
    expect(refusal).toMatchObject({ reason: 'too_many_keys_outstanding', code: 'slow_down', disclosed: true })
    expect(refusal.message).toMatch(/^The client has 2 keys /)
    expect(refusal.facts.retryAfterSeconds).toBe(60)
    await given.deployment.store.revoke(first.record)
    expect(await reasonOf(() => issueKey(given))).toBeUndefined()
  })

  it('lets exactly as many of many concurrent requests have a key as may be outstanding', async () => {
    const given = deployed({
      policy: { scopes: ['provision:token', 'devices:read'], outstandingKeys: 3 },
      clients: [CI],
    })
    const reasons = await Promise.all(Array.from({ length: 12 }, () => reasonOf(() => issueKey(given))))
    expect(reasons.filter((reason) => reason === undefined)).toHaveLength(3)
  })

  const STORES: [string, ProvisioningStore, string, string][] = [
    [
      'is full',
      memoryStore({ maxKeys: 1, now: () => START * 1000 }),
      'store_full',
      'temporarily_unavailable',
    ],
    [
      'does not answer',
      storeBut({ record: () => Promise.reject(new Error('down')) }),
      'store_unavailable',
      'temporarily_unavailable',
    ],
    [
      'throws',
      storeBut({
        record: () => {
          throw new Error('down')
        },
      }),
      'store_unavailable',
      'temporarily_unavailable',
    ],
    [
      'knows the new key already',
      storeBut({ record: async () => 'duplicate' }),
      'store_unavailable',
      'temporarily_unavailable',
    ],
  ]
  it.each(STORES)('issues nothing when the store %s', async (_, store, reason, code) => {
    const given = deployed({ store })
    if (reason === 'store_full') await issueKey(given)
    const before = given.events.length
    expect(await refusalOf(() => issueKey(given))).toMatchObject({ reason, code })
    expect(given.events).toHaveLength(before)
  })
})

const CI = { clientId: 'ci-runner', clientSecret: SECRET, policy: { defaultScopes: ['provision:token'] } }
