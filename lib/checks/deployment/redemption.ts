import { type Check, CheckEnd, type Finding, failed, inGroup, PASSED, skipped, warning } from '../check.js'
import type { DeploymentUnderTest } from './deployment-under-test.js'
import { requireNoStore } from './issuance.js'
import {
  isRefused,
  NO_ROUTE,
  noteRedeemed,
  present,
  presentRefused,
  proven,
  redemptionPlace,
} from './places.js'
import { grantedScopes } from './scopes.js'

const CONCURRENT = 20

/** Is each key redeemed at most once? */
export const REDEMPTION_CHECKS = inGroup<Check<DeploymentUnderTest>>({ group: 'Redemption' }, [
  {
    id: 'redemption-works',
    title: 'the test client can redeem a key',
    clause: 'RFC 8693 2.2.1',
    fix: 'Give the test client the scope provision:token and a scope of your API, or name a route with --redeem-url.',
    needs: ['issuance-key'],
    run: checkRedeemable,
  },
  {
    id: 'redemption-caching',
    title: 'the server forbids caches to keep an answer with an access token',
    clause: 'RFC 6749 5.1',
    fix: 'Let the proxy forward the header Cache-Control: no-store without a change.',
    needs: ['redemption-works'],
    async run(deployment, signal) {
      const { exchange } = await redeem(deployment, signal)
      if (!('access_token' in exchange.json)) return skipped('the key is redeemed for no access token')
      return requireNoStore(deployment, exchange)
    },
  },
  {
    id: 'redemption-scope',
    title: 'an access token has only scopes of the redeemed key, but none for provisioning',
    clause: 'RFC 8693 2.1',
    fix: 'Give an access token only scopes of the redeemed key, but no scope that begins with provision:.',
    needs: ['redemption-works'],
    async run(deployment, signal) {
      const { key, exchange } = await redeem(deployment, signal)
      if (!('access_token' in exchange.json)) return skipped('the key is redeemed for no access token')
      const wrong = grantedScopes(exchange).filter(
        (scope) => scope.startsWith('provision:') || !key.scope.includes(scope),
      )
      const expected = `scopes of the key: ${key.scope.join(' ')}`
      return deployment.expect(exchange, wrong.length === 0, expected, `the scopes ${wrong.join(' ')}`)
    },
  },
  {
    id: 'redemption-race',
    title: `if ${CONCURRENT} requests redeem a key at the same time, only one succeeds`,
    clause: 'RFC 6749 10.5',
    fix: 'Let all processes share one store, such as redisStore().',
    needs: ['redemption-works'],
    run: checkRace,
  },
])

/** Comes after all other checks that use the test client, because rules of the monitoring may lock it. */
export const REPLAY_CHECKS = inGroup<Check<DeploymentUnderTest>>({ group: 'Replay' }, [
  {
    id: 'replay-refused',
    title: 'a redeemed key is refused',
    clause: 'RFC 6749 10.5',
    fix: 'Let all processes share one store, such as redisStore().',
    needs: ['redemption-works'],
    async run(deployment, signal) {
      const { key, place, exchange } = await redeem(deployment, signal)
      const again = await present(deployment, { place, key }, signal)
      // The owner of a bound key that repeats its request gets the same answer.
      const isRepeated = key.pair !== undefined && again.text === exchange.text
      return deployment.expect(again, isRepeated || isRefused(place, again), 'status 400 or 401')
    },
  },
  {
    id: 'replay-route',
    title: 'a route refuses a redeemed key',
    clause: 'RFC 6749 10.5',
    fix: 'Guard the route with requireProvisioningKey(), which looks up each key, and let all processes share one store.',
    needs: ['key-missing', 'redemption-works'],
    async run(deployment, signal) {
      if (deployment.settings.protectedUrl === undefined) return skipped(NO_ROUTE)
      const { key } = await redeem(deployment, signal)
      return presentRefused(deployment, { key, expected: 'status 401' }, signal)
    },
  },
  {
    id: 'replay-containment',
    title: 'a replay of a key revokes the access token of this key',
    clause: 'RFC 6749 10.5',
    fix: 'Let all processes share one store. Let your API check access tokens with requireAccessToken(), or with introspection if it cannot use this package.',
    needs: ['replay-refused'],
    run: checkContainment,
  },
])

/** Redeems a new key. @throws CheckEnd if its place does not accept it */
async function redeem(deployment: DeploymentUnderTest, signal: AbortSignal) {
  const key = await deployment.issue({}, signal)
  const place = redemptionPlace(deployment, key)
  const exchange = await present(deployment, { place, key }, signal)
  if (!place.isAccepted(exchange))
    throw new CheckEnd(deployment.failed(exchange, `${place.name} accepts the key`))
  return { key, place, exchange }
}

/** Without a redemption, nothing shows that keys work only once. So a run must not pass in silence. */
async function checkRedeemable(deployment: DeploymentUnderTest, signal: AbortSignal): Promise<Finding> {
  try {
    await redeem(deployment, signal)
    return PASSED
  } catch (error) {
    const { outcome, reason = '' }: Partial<Finding> = error instanceof CheckEnd ? error.finding : {}
    if (outcome !== 'skipped') throw error
    return warning({
      actual: `no key was redeemed: ${reason}`,
      expected: 'a redemption, to see that keys work only once',
    })
  }
}

async function checkRace(deployment: DeploymentUnderTest, signal: AbortSignal): Promise<Finding> {
  const key = await deployment.issue({}, signal)
  const place = redemptionPlace(deployment, key)
  const once = () => deployment.sendOnce(proven(deployment, place, key), signal)
  const answers = await Promise.allSettled(Array.from({ length: CONCURRENT }, once))
  const exchanges = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const successes = exchanges.filter((one) => place.isAccepted(one))
  for (const success of successes) noteRedeemed(deployment, key.text, success)
  const [first] = successes
  if (first === undefined)
    return exchanges.some(({ status }) => status === 429)
      ? skipped('the rate limit of the deployment is below 20 requests')
      : failed({ actual: `no success in ${exchanges.length} answers`, expected: 'one success' })
  // The owner of a bound key gets the same answer again.
  const isSame = key.pair !== undefined && successes.every(({ text }) => text === first.text)
  const isRight = successes.length === 1 || isSame
  return deployment.expect(first, isRight, 'one success', `${successes.length} successes`)
}

async function checkContainment(deployment: DeploymentUnderTest, signal: AbortSignal): Promise<Finding> {
  const { key, place, exchange } = await redeem(deployment, signal)
  const token = exchange.json['access_token']
  if (typeof token !== 'string') return skipped('the key is redeemed for no access token')
  const before = await deployment.introspect(token, signal)
  if (before.json['active'] !== true) return skipped('the introspection does not describe access tokens')
  if (key.pair !== undefined) return skipped('the owner of a bound key may repeat its request')
  await present(deployment, { place, key }, signal)
  const after = await deployment.introspect(token, signal)
  return deployment.expect(after, after.json['active'] === false, 'active: false')
}
