import { encodePart } from '../../testing/forged-token.js'
import { type Check, CheckEnd, type Finding, inGroup, PASSED, skipped } from '../check.js'
import type { DeploymentUnderTest, IssuedKey } from './deployment-under-test.js'
import type { Exchange } from './exchange.js'
import { FORGED_KEYS } from './forged-keys.js'
import {
  isRefused,
  NO_ROUTE,
  noteRedeemed,
  type Place,
  present,
  presentRefused,
  proven,
  verificationPlace,
} from './places.js'

const EXPECTED = 'a refusal: status 400 or 401, or active: false'

/** Does the deployment accept a key that it did not issue? */
export const FORGERY_CHECKS = inGroup<Check<DeploymentUnderTest>>(
  { group: 'Forgeries', needs: ['key-missing'] },
  [
    {
      id: 'key-accepted',
      title: 'a genuine key is accepted',
      fix: 'With --protected-url or --redeem-url, name a route that accepts keys with the audience and scope of the test client.',
      needs: ['issuance-key'],
      async run(deployment, signal) {
        const key = await deployment.issue({}, signal)
        const place = verificationPlace(deployment, key)
        const exchange = await present(deployment, { place, key }, signal)
        return deployment.expect(exchange, place.isAccepted(exchange), `${place.name} accepts the key`)
      },
    },
    {
      id: 'key-missing',
      title: 'a request without a key is refused',
      clause: 'RFC 6750 3',
      fix: 'Put the guard before the handler of the route. Make sure that no cache stores the answers of the route.',
      needs: ['key-accepted'],
      async run(deployment, signal) {
        const place = verificationPlace(deployment, await deployment.sample(signal))
        const { headers = {}, ...request } = place.request('')
        const others = Object.entries(headers).filter(([, value]) => !/^(Bearer|DPoP) /.test(String(value)))
        const exchange = await deployment.send({ ...request, headers: Object.fromEntries(others) }, signal)
        return deployment.expect(exchange, isRefused(place, exchange), EXPECTED)
      },
    },
    ...FORGED_KEYS.map(({ forge, ...texts }) => ({
      ...texts,
      async run(deployment: DeploymentUnderTest, signal: AbortSignal) {
        const { victim, decoded } = await victimOf(deployment, signal)
        return presentAll(deployment, { victim, tokens: forge(decoded, deployment.jwks) }, signal)
      },
    })),
    {
      id: 'forgery-type',
      title: 'a token of another type is refused as a key',
      clause: 'RFC 8725 3.11, RFC 8725 3.12',
      fix: 'Refuse a key whose typ is not that of a provisioning key.',
      async run(deployment, signal) {
        const { victim, decoded } = await victimOf(deployment, signal)
        const { header, parts } = decoded
        const renamed = ['JWT', 'at+jwt', undefined].map(
          (typ) => `${encodePart({ ...header, typ })}.${parts[1]}.${parts[2]}`,
        )
        // Introspection may also describe access tokens.
        const isForKeys = verificationPlace(deployment, victim).isForKeys
        const others = isForKeys ? deployment.accessTokens : []
        return presentAll(deployment, { victim, tokens: [...renamed, ...others] }, signal)
      },
    },
    {
      id: 'forgery-duplicate',
      title: 'a request with two keys is refused',
      clause: 'RFC 6749 3.2, RFC 6750 3.1',
      fix: 'Refuse a request that contains more than one key.',
      run: checkDuplicate,
    },
    {
      id: 'wrong-audience',
      group: 'Audience',
      title: 'a route refuses a key for another API',
      clause: 'RFC 8707 2, RFC 8725 3.9',
      fix: 'Pass the audience of the route to each guard, as the option audience.',
      run: checkAudience,
    },
    {
      id: 'key-in-query',
      group: 'Audience',
      title: 'a route refuses a key in the URL',
      clause: 'RFC 9700 4.3.2, RFC 6750 5.3',
      fix: 'Read the key from the header Authorization only.',
      async run(deployment, signal) {
        const { protectedUrl } = deployment.settings
        if (protectedUrl === undefined) return skipped(NO_ROUTE)
        const { text } = await deployment.issue({}, signal)
        const url = new URL(protectedUrl)
        url.searchParams.set('access_token', text)
        const exchange = await deployment.send({ method: 'GET', url: url.href }, signal)
        return deployment.expect(exchange, exchange.status >= 400, 'status 400')
      },
    },
  ],
)

async function checkDuplicate(deployment: DeploymentUnderTest, signal: AbortSignal): Promise<Finding> {
  const { victim } = await victimOf(deployment, signal)
  const place = verificationPlace(deployment, victim)
  const { form = [], headers, ...request } = proven(deployment, place, victim)
  const header = String(headers?.['Authorization'])
  const inForm = form.filter(([, value]) => value === victim.text)
  const doubled =
    inForm.length > 0
      ? { ...request, headers: headers ?? {}, form: [...form, ...inForm] }
      : { ...request, headers: { ...headers, Authorization: [header, header] } }
  const exchange = await deployment.send(doubled, signal)
  if (place.isAccepted(exchange)) return accepted(deployment, { victim, place }, exchange)
  return deployment.expect(exchange, isRefused(place, exchange), EXPECTED)
}

async function checkAudience(deployment: DeploymentUnderTest, signal: AbortSignal): Promise<Finding> {
  const { protectedUrl, otherAudience } = deployment.settings
  if (protectedUrl === undefined || otherAudience === undefined)
    return skipped(
      'there is no route or no second audience; name them with --protected-url and --other-audience',
    )
  const key = await deployment.issue({ form: { resource: otherAudience } }, signal)
  return presentRefused(deployment, { key, expected: 'status 401' }, signal)
}

/** The genuine key that forgeries begin with. No check redeems it, unless a forgery is accepted. */
async function victimOf(deployment: DeploymentUnderTest, signal: AbortSignal) {
  deployment.victim ??= await deployment.issue({}, signal)
  const victim = deployment.victim
  if (victim.decoded === undefined) throw new CheckEnd(skipped('the key is no JWT'))
  return { victim, decoded: victim.decoded }
}

async function presentAll(
  deployment: DeploymentUnderTest,
  { victim, tokens }: { readonly victim: IssuedKey; readonly tokens: readonly string[] },
  signal: AbortSignal,
): Promise<Finding> {
  const place = verificationPlace(deployment, victim)
  for (const token of tokens) {
    // A header cannot contain a line end, and spaces around its value have no meaning (RFC 9110 5.5).
    if (token === victim.text || (place.request(token).form === undefined && /\s/.test(token))) continue
    deployment.hide(token, '$KEY')
    const exchange = await present(deployment, { place, key: { ...victim, text: token } }, signal)
    if (place.isAccepted(exchange)) return accepted(deployment, { victim, place }, exchange)
    if (exchange.status >= 500) return deployment.failed(exchange, EXPECTED)
  }
  return PASSED
}

/** The genuine key may be redeemed now. A later check would then replay it. */
function accepted(
  deployment: DeploymentUnderTest,
  { victim, place }: { readonly victim: IssuedKey; readonly place: Place },
  exchange: Exchange,
): Finding {
  deployment.victim = undefined
  if (place.redeems) noteRedeemed(deployment, victim.text, exchange)
  return deployment.failed(exchange, EXPECTED)
}
