import { type Check, type Finding, skipped } from '../check.js'
import type { DeploymentUnderTest } from './deployment-under-test.js'
import { refused } from './issuance.js'
import { presentRefused } from './places.js'
import { isSameScope } from './scopes.js'

/** What a clock may be off, if the deployment has its default. */
const TOLERANCE_SECONDS = 5

/** Does the introspection say the truth, and do keys end? */
export const LIFECYCLE_CHECKS: readonly Check<DeploymentUnderTest>[] = [
  {
    id: 'introspection-active',
    group: 'Introspection',
    title: 'a key of the test client is active',
    clause: 'RFC 7662 2.2',
    fix: 'Let the introspection endpoint read the same store as the token endpoint.',
    needs: ['issuance-key'],
    async run(deployment, signal) {
      const { text, scope: granted } = await deployment.sample(signal)
      const exchange = await deployment.introspect(text, signal)
      const { active, scope } = exchange.json
      if (active !== true) return deployment.failed(exchange, 'active: true')
      const expected = granted.join(' ')
      const isRight = expected === '' || isSameScope(scope, expected)
      return deployment.expect(exchange, isRight, `scope ${expected}`, `scope ${scope}`)
    },
  },
  {
    id: 'introspection-unknown',
    group: 'Introspection',
    title: 'the server says about an unknown token only that it is not active',
    clause: 'RFC 7662 2.2',
    fix: 'Answer {"active": false} for each token that is not active.',
    needs: ['introspection-active'],
    async run(deployment, signal) {
      const exchange = await deployment.introspect('check-no-such-token', signal)
      const isRight = JSON.stringify(exchange.json) === '{"active":false}' && exchange.status === 200
      return deployment.expect(exchange, isRight, 'status 200 with {"active":false}')
    },
  },
  {
    id: 'introspection-auth',
    group: 'Introspection',
    title: 'only authenticated clients can introspect tokens',
    clause: 'RFC 7662 2.1',
    fix: 'Require client authentication at the introspection endpoint.',
    needs: ['introspection-active'],
    async run(deployment, signal) {
      const { text } = await deployment.sample(signal)
      const exchange = await deployment.post('introspection_endpoint', { token: text }, signal, {})
      return refused(deployment, exchange, 'status 401')
    },
  },
  {
    id: 'revocation-works',
    group: 'Revocation',
    title: 'a revoked key is refused',
    clause: 'RFC 7009 2.2',
    fix: 'Let the server or route look up each key in the store to which the revocation endpoint writes.',
    needs: ['key-missing'],
    async run(deployment, signal) {
      const key = await deployment.issue({}, signal)
      const revoked = await deployment.post('revocation_endpoint', { token: key.text }, signal)
      if (revoked.status !== 200) return deployment.failed(revoked, 'status 200')
      return presentRefused(deployment, { key, expected: 'a refusal' }, signal)
    },
  },
  {
    id: 'revocation-unknown',
    group: 'Revocation',
    title: 'the server answers 200 to the revocation of an unknown token',
    clause: 'RFC 7009 2.2',
    fix: 'Answer each authenticated client with 200, even if the token is unknown.',
    needs: ['issuance-key'],
    async run(deployment, signal) {
      const exchange = await deployment.post('revocation_endpoint', { token: 'check-no-such-token' }, signal)
      return deployment.expect(exchange, exchange.status === 200, 'status 200')
    },
  },
  {
    id: 'revocation-auth',
    group: 'Revocation',
    title: 'only authenticated clients can revoke keys',
    clause: 'RFC 7009 2.1',
    fix: 'Require client authentication at the revocation endpoint.',
    needs: ['issuance-key'],
    async run(deployment, signal) {
      const { text } = await deployment.issue({}, signal)
      const exchange = await deployment.post('revocation_endpoint', { token: text }, signal, {})
      return refused(deployment, exchange, 'status 401')
    },
  },
  {
    id: 'expiry',
    group: 'Expiry',
    title: 'an expired key is refused',
    clause: 'RFC 7519 4.1.4',
    fix: 'Compare the exp of each key with the current time, synchronize the clocks of all servers, and set clockToleranceSeconds to 5 or less.',
    needs: ['key-missing'],
    timeoutSeconds: 900,
    run: checkExpiry,
  },
]

async function checkExpiry(deployment: DeploymentUnderTest, signal: AbortSignal): Promise<Finding> {
  const key = await deployment.issue({ form: { requested_expiry: '1' } }, signal)
  const lifetime = Number(key.exchange.json['expires_in'])
  const wait = lifetime + TOLERANCE_SECONDS + 1
  if (!deployment.mayPause(wait))
    return skipped(`the shortest key needs ${wait} seconds to expire; allow them with --wait`)
  await deployment.pause(wait, signal)
  deployment.isUsedUp(key.text)
  const expected = 'a refusal. If clockToleranceSeconds is more than 5, skip this check'
  return presentRefused(deployment, { key, expected }, signal)
}
