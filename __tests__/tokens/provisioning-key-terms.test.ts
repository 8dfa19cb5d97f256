import { verifyTerms } from '../../lib/tokens/issued-token.js'
import { type KeyClaims, PROVISIONING_KEY } from '../../lib/tokens/provisioning-key.js'
import { AUDIENCE, deployed, ISSUER, OTHER_AUDIENCE, reasonOf, START } from '../support/deployed.js'

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

describe('verifyTerms', () => {
  function reasonFor(claims: Partial<KeyClaims>, seconds = START, audiences = [AUDIENCE], options = {}) {
    const { deployment, clock } = deployed(options)
    clock.seconds = seconds
    return reasonOf(() => verifyTerms(deployment, PROVISIONING_KEY, { ...CLAIMS, ...claims }, audiences))
  }

  const TIMES: [string, number, Partial<KeyClaims>, string | undefined][] = [
    ['at the second of its issue', START, {}, undefined],
    ['within its life', START + 299, {}, undefined],
    ['at exp, within the tolerance', START + 300, {}, undefined],
    ['a second before the tolerance ends', START + 304, {}, undefined],
    ['when the tolerance ends', START + 305, {}, 'key_expired'],
    ['long after', START + 9999, {}, 'key_expired'],
    ['as early as the tolerance allows', START - 5, {}, undefined],
    ['a second earlier than that', START - 6, {}, 'key_not_yet_valid'],
    ['before its nbf', START, { nbf: START + 6 }, 'key_not_yet_valid'],
    ['before its nbf, within the tolerance', START, { nbf: START + 5 }, undefined],
    ['before its iat, though after its nbf', START, { iat: START + 6 }, 'key_not_yet_valid'],
    ['when it may live as long as any', START, { exp: START + 900 }, undefined],
    ['when it was made to live longer than any may', START, { exp: START + 901 }, 'lifetime_excessive'],
    [
      'when it was made so long ago',
      START,
      { iat: START - 800, nbf: START - 800, exp: START + 101 },
      'lifetime_excessive',
    ],
    ['when it expires as it is issued', START, { exp: START }, 'lifetime_excessive'],
    ['when it expires before it is issued', START, { iat: START + 4, exp: START }, 'lifetime_excessive'],
  ]
  it.each(TIMES)('judges a key %s', async (_, seconds, claims, reason) => {
    expect(await reasonFor(claims, seconds)).toBe(reason)
  })

  it('goes by no tolerance where there is none', async () => {
    const options = { clockToleranceSeconds: 0 }
    const reasons = [-1, 0, 299, 300].map((after) => reasonFor({}, START + after, [AUDIENCE], options))
    expect(await Promise.all(reasons)).toEqual(['key_not_yet_valid', undefined, undefined, 'key_expired'])
  })

  it('caps the lifetime a second time, when policy has become stricter since the issue', async () => {
    const options = {
      policy: { scopes: ['provision:token', 'devices:read'], maxLifetimeSeconds: 299, lifetimeSeconds: 9 },
    }
    expect(await reasonFor({}, START, [AUDIENCE], options)).toBe('lifetime_excessive')
  })

  it('wants one of the audiences it is given', async () => {
    expect(await reasonFor({}, START, [OTHER_AUDIENCE, AUDIENCE])).toBeUndefined()
    for (const audiences of [[OTHER_AUDIENCE], [], [`${AUDIENCE}/`]]) {
      expect(await reasonFor({}, START, audiences)).toBe('audience_wrong')
    }
  })

  it.each([
    [undefined, undefined, undefined],
    ['staging', 'staging', undefined],
    ['staging', 'production', 'environment_wrong'],
    [undefined, 'production', 'environment_wrong'],
    ['staging', undefined, 'environment_wrong'],
  ])('of a key of environment %s at a deployment of %s says %s', async (env, environment, reason) => {
    const options = environment === undefined ? {} : { environment }
    expect(await reasonFor(env === undefined ? {} : { env }, START, [AUDIENCE], options)).toBe(reason)
  })
})
