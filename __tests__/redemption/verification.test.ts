import type { PresentedRequest } from '../../lib/base/request.js'
import type { Deployment } from '../../lib/ports/deployment.js'
import type { ProvisioningStore } from '../../lib/ports/store.js'
import { containReplay } from '../../lib/redemption/containment.js'
import type { Verified } from '../../lib/redemption/key-state.js'
import { type Expectation, extractKey } from '../../lib/tokens/presentation.js'
import { compact } from '../support/compact.js'
import { cpuSecondsOf } from '../support/cpu-time.js'
import {
  AUDIENCE,
  deployed,
  issueKey,
  OTHER_AUDIENCE,
  reasonOf,
  refusalOf,
  request,
  reserveKey,
  SIGNING_KEY,
  storeBut,
  TARGET,
  verifyBearerKey,
  verifyKey,
} from '../support/deployed.js'

const EXPECTED: Expectation = { audiences: [AUDIENCE], scope: [], target: TARGET }

/** Verifies a key that is presented as Bearer. */
function verifyingText(deployment: Deployment): (token: string, expected: Expectation) => Promise<Verified> {
  return (token, expected) =>
    verifyKey(deployment, { credential: { token, scheme: 'Bearer' }, presented: request(), expected })
}

describe('extractKey', () => {
  it.each([
    ['Bearer abc.def.ghi', 'abc.def.ghi', 'Bearer'],
    ['bearer abc', 'abc', 'Bearer'],
    ['BEARER   abc==', 'abc==', 'Bearer'],
    ['Bearer a-b._~+/c', 'a-b._~+/c', 'Bearer'],
    ['DPoP abc', 'abc', 'DPoP'],
    ['dpop   a-b._~+/c==', 'a-b._~+/c==', 'DPoP'],
  ])('takes the token and the scheme out of %j', (header, token, scheme) => {
    expect(extractKey(request({ authorization: [header] }))).toEqual({ token, scheme })
  })

  const REFUSED: [string, Partial<PresentedRequest>, string][] = [
    ['nothing', {}, 'credentials_missing'],
    ['another scheme', { authorization: ['Basic YTpi'] }, 'credentials_missing'],
    ['DPoP alone', { authorization: ['DPoP'] }, 'header_malformed'],
    ['a scheme that begins like DPoP', { authorization: ['DPoPtoken abc'] }, 'credentials_missing'],
    ['an empty header', { authorization: [''] }, 'credentials_missing'],
    ['a scheme that begins alike', { authorization: ['Bearertoken abc'] }, 'credentials_missing'],
    ['a scheme alone', { authorization: ['Bearer'] }, 'header_malformed'],
    ['a scheme and a space', { authorization: ['Bearer '] }, 'header_malformed'],
    ['a tab', { authorization: ['Bearer\tabc'] }, 'header_malformed'],
    ['two tokens', { authorization: ['Bearer abc def'] }, 'header_malformed'],
    ['two tokens with a comma', { authorization: ['Bearer abc, Bearer def'] }, 'header_malformed'],
    ['a token in quotes', { authorization: ['Bearer "abc"'] }, 'header_malformed'],
    ['a token with = within', { authorization: ['Bearer a=b'] }, 'header_malformed'],
    ['a line break', { authorization: ['Bearer abc\n'] }, 'header_malformed'],
    ['two headers', { authorization: ['Bearer abc', 'Bearer abc'] }, 'header_repeated'],
    [
      'a token in the body besides',
      { authorization: ['Bearer abc'], tokenInBody: true },
      'token_presented_twice',
    ],
    ['a token in the body alone', { tokenInBody: true }, 'credentials_missing'],
  ]
  it.each(REFUSED)('refuses %s', async (_, presented, reason) => {
    expect(await refusalOf(() => extractKey(request(presented)))).toMatchObject({ reason, disclosed: true })
  })

  it.each(['access_token', 'subject_token', 'token', 'client_secret', 'client_assertion'])(
    'refuses %s in the query, whatever else is presented',
    async (name) => {
      const queryNames = ['page', name]
      for (const authorization of [[], ['Bearer abc'], ['Bearer abc', 'Bearer def']]) {
        expect(await reasonOf(() => extractKey(request({ authorization, queryNames })))).toBe(
          'token_in_query',
        )
      }
    },
  )

  it('minds no other parameter of the query', () => {
    const queryNames = ['page', 'Token', 'key']
    expect(extractKey(request({ authorization: ['Bearer abc'], queryNames }))).toEqual({
      token: 'abc',
      scheme: 'Bearer',
    })
  })

  it('takes no time over a long header', async () => {
    const texts = [' '.repeat(100_000), '='.repeat(100_000), `${'a='.repeat(50_000)}!`]
    const extractAll = async () => {
      for (const text of texts)
        await reasonOf(() => extractKey(request({ authorization: [`Bearer ${text}`] })))
    }
    expect(await cpuSecondsOf(extractAll)).toBeLessThan(2)
  })
})

describe('verify', () => {
  it('answers a key that is genuine, in time, and issued', async () => {
    const given = deployed()
    const { key, verified } = await issueKey(given)
    const expected = { key: verified, state: 'issued', proof: undefined, certificate: undefined }
    expect(await verifyingText(given.deployment)(key, EXPECTED)).toMatchObject(expected)
  })

  it('leaves the key as it is, however often it is verified', async () => {
    const given = deployed()
    const { key, record } = await issueKey(given)
    for (let i = 0; i < 3; i += 1) await verifyingText(given.deployment)(key, EXPECTED)
    expect(await given.deployment.store.find(record)).toMatchObject({ state: 'issued' })
  })

  type Deed = (store: ProvisioningStore, key: { clientId: string; jti: string }) => Promise<unknown>
  const STATES: [string, Deed, string | undefined][] = [
    ['issued', async () => undefined, undefined],
    ['being redeemed', (store, key) => store.redeem(key, 'a'), 'key_redeeming'],
    [
      'released again',
      async (store, key) => [await store.redeem(key, 'a'), await store.release(key, 'a')],
      undefined,
    ],
    [
      'redeemed',
      async (store, key) => [await store.redeem(key, 'a'), await store.settle(key, 'a', 0)],
      'key_redeemed',
    ],
    ['revoked', (store, key) => store.revoke(key), 'key_revoked'],
  ]
  it.each(STATES)('of a key that is %s goes by the state', async (_, deed, reason) => {
    const { deployment, ...given } = deployed()
    const { key, record } = await issueKey({ deployment, ...given })
    await deed(deployment.store, record)
    expect(await reasonOf(() => verifyingText(deployment)(key, EXPECTED))).toBe(reason)
  })

  it('refuses a key that the store has lost, so that replay is not opened again', async () => {
    const { key, record } = await issueKey(deployed())
    const refusal = await refusalOf(() => verifyingText(deployed().deployment)(key, EXPECTED))
    const facts = { clientId: record.clientId, jti: record.jti }
    expect(refusal).toMatchObject({ reason: 'key_unknown', code: 'invalid_token', disclosed: false, facts })
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('down'))],
    [
      'throws',
      () => {
        throw new Error('down')
      },
    ],
  ])('lets nothing pass while the store %s', async (_, find) => {
    const { deployment } = deployed({ store: storeBut({ find }) })
    const { key } = await issueKey({ deployment })
    expect(await reasonOf(() => verifyingText(deployment)(key, EXPECTED))).toBe('store_unavailable')
  })

  it('does not ask the store about a key that is refused for its claims', async () => {
    const find = () => Promise.reject(new Error('asked'))
    const { deployment, clock } = deployed({ store: storeBut({ find }) })
    const { key } = await issueKey({ deployment })
    const verify = verifyingText(deployment)
    expect(await reasonOf(() => verify(`${key}.`, EXPECTED))).toBe('key_malformed')
    expect(await reasonOf(() => verify(key, { ...EXPECTED, audiences: [OTHER_AUDIENCE] }))).toBe(
      'audience_wrong',
    )
    clock.seconds += 305
    expect(await reasonOf(() => verify(key, EXPECTED))).toBe('key_expired')
  })

  it('holds for a key to the last second at which the clock tolerates it', async () => {
    const { deployment, clock } = deployed()
    const { key } = await issueKey({ deployment })
    clock.seconds += 304
    expect(await reasonOf(() => verifyingText(deployment)(key, EXPECTED))).toBeUndefined()
    clock.seconds += 1
    expect(await reasonOf(() => verifyingText(deployment)(key, EXPECTED))).toBe('key_expired')
  })
})

describe('a replay', () => {
  async function redeemed() {
    const given = deployed()
    const issued = await issueKey(given)
    await (await reserveKey(given, issued.verified, 'route')).settle()
    return { ...given, ...issued }
  }

  it('revokes the family of the key once, and is told of each time', async () => {
    const { deployment, events, key, record } = await redeemed()
    for (let i = 0; i < 2; i += 1) {
      expect(await reasonOf(() => verifyingText(deployment)(key, EXPECTED))).toBe('key_redeemed')
    }
    expect(await deployment.store.find(record)).toMatchObject({ state: 'redeemed', familyRevoked: true })
    const replays = events.filter(({ type }) => type === 'key.replayed')
    const told = { severity: 'high', keyId: record.jti, clientId: 'ci-runner', address: '192.0.2.1' }
    expect(replays).toMatchObject([
      { ...told, familyRevoked: true },
      { ...told, familyRevoked: false },
    ])
  })

  it('by a forger revokes nothing', async () => {
    const { deployment, events, key, record } = await redeemed()
    const [header, payload] = key.split('.').map((part) => Buffer.from(part, 'base64url').toString())
    const forged = compact(header, payload?.replace('device', 'gadget'), SIGNING_KEY)
      .slice(0, -4)
      .concat('AAAA')
    expect(await reasonOf(() => verifyingText(deployment)(forged, EXPECTED))).toBe('signature_wrong')
    expect(await deployment.store.find(record)).toMatchObject({ familyRevoked: false })
    expect(events.map(({ type }) => type)).not.toContain('key.replayed')
  })

  it('that is refused for its audience or its network revokes nothing', async () => {
    const { deployment, key, record } = await redeemed()
    await reasonOf(() => verifyingText(deployment)(key, { ...EXPECTED, audiences: [OTHER_AUDIENCE] }))
    expect(await deployment.store.find(record)).toMatchObject({ familyRevoked: false })
  })

  it('is refused as unavailable while the store cannot revoke the family', async () => {
    const { verified } = await issueKey(deployed())
    const revokeFamily = () => Promise.reject(new Error('down'))
    const { deployment } = deployed({ store: storeBut({ revokeFamily }) })
    expect(await reasonOf(() => containReplay(deployment, verified))).toBe('store_unavailable')
  })
})

describe('the second step of verification', () => {
  it('wants every scope, and says which is missing and which would be enough', async () => {
    const server = deployed()
    const { key, verified } = await issueKey(server)
    expect(await reasonOf(() => verifyBearerKey(server, key))).toBeUndefined()
    expect(
      await reasonOf(() => verifyBearerKey(server, key, 'devices:read', 'provision:token')),
    ).toBeUndefined()
    expect(
      await refusalOf(() => verifyBearerKey(server, key, 'devices:read', 'devices:write', 'x')),
    ).toMatchObject({
      reason: 'scope_insufficient',
      message: 'The key lacks the scope devices:write x.',
      facts: { clientId: 'ci-runner', jti: verified.jti, requiredScope: 'devices:read devices:write x' },
    })
  })

  it.each(['devices', 'devices:', 'DEVICES:READ', 'devices:read provision:token', ''])(
    'takes %j for no scope of the key',
    async (scope) => {
      const server = deployed()
      const { key } = await issueKey(server)
      expect(await reasonOf(() => verifyBearerKey(server, key, scope))).toBe('scope_insufficient')
    },
  )
})
