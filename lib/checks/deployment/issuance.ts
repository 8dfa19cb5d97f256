import { decodeToken } from '../../testing/forged-token.js'
import { type Check, type CheckDescription, type Finding, inGroup, PASSED, skipped } from '../check.js'
import type { DeploymentUnderTest, KeyRequest } from './deployment-under-test.js'
import { type Exchange, type Outgoing, parametersOf } from './exchange.js'
import { grantedScopes } from './scopes.js'

const USUAL_SECONDS = 900
const LONGEST_SECONDS = 3600
const UNKNOWN_SCOPE = 'check:no-such-scope'

/** Does the test client get keys, and only those that it may have? */
export const ISSUANCE_CHECKS = inGroup<Check<DeploymentUnderTest>>(
  { group: 'Issuance', needs: ['issuance-key'] },
  [
    {
      id: 'issuance-key',
      title: 'the test client gets a key',
      clause: 'RFC 6749 4.4',
      fix: 'Pass the correct id and secret of the test client. With --scope, name only scopes that the policy of the test client allows.',
      // The metadata of another issuer could send the secret of the test client elsewhere.
      needs: ['discovery-issuer'],
      async run(deployment, signal) {
        const exchange = await deployment.issueFirst(signal)
        if (deployment.keyIn(exchange) === undefined)
          return deployment.failed(exchange, 'status 200 with an access_token')
        const hasType = typeof exchange.json['token_type'] === 'string'
        return deployment.expect(exchange, hasType, 'a token_type', 'no token_type')
      },
    },
    {
      id: 'issuance-caching',
      title: 'the server forbids caches to keep an answer with a key',
      clause: 'RFC 6749 5.1',
      fix: 'Let the proxy forward the header Cache-Control: no-store without a change.',
      async run(deployment, signal) {
        const { exchange } = await deployment.sample(signal)
        return requireNoStore(deployment, exchange)
      },
    },
    {
      id: 'issuance-lifetime',
      title: 'a key lives for at most 15 minutes',
      clause: 'RFC 6749 10.5',
      fix: 'Set policy.lifetimeSeconds to the time that a device needs, such as 300.',
      async run(deployment, signal) {
        const { exchange } = await deployment.sample(signal)
        const seconds = Number(exchange.json['expires_in'] ?? Number.NaN)
        if (seconds > 0 && seconds <= USUAL_SECONDS) return PASSED
        const actual = `expires_in: ${exchange.json['expires_in']}`
        const report = seconds > 0 && seconds <= LONGEST_SECONDS ? 'warning' : 'failed'
        return deployment[report](exchange, `at most ${USUAL_SECONDS} seconds`, actual)
      },
    },
    {
      id: 'issuance-scope',
      title: 'a key has only the scopes that were asked for',
      clause: 'RFC 6749 3.3',
      fix: 'Give a key only scopes that the request names.',
      async run(deployment, signal) {
        const { scope } = await deployment.sample(signal)
        const [wanted = ''] = scope
        if (wanted === '') return skipped('the answer names no scope')
        const { exchange } = await deployment.issue({ form: { scope: wanted } }, signal)
        const granted = grantedScopes(exchange).join(' ')
        return deployment.expect(exchange, granted === wanted, `the scope ${wanted}`, `the scope ${granted}`)
      },
    },
    refusing('issuance-scope-unknown', {
      title: 'a scope that no policy grants is refused',
      clause: 'RFC 6749 5.2',
      fix: 'List the scopes of each client in policy.scopes, and grant no other scopes.',
      request: { form: { scope: UNKNOWN_SCOPE } },
      // Without a scope in the answer, it is the one of the request, unless the key says otherwise.
      isHarmless({ json }) {
        const claims = decodeToken(String(json['access_token']))?.claims
        const granted = json['scope'] ?? (claims === undefined ? UNKNOWN_SCOPE : claims['scope'])
        return !String(granted).split(' ').includes(UNKNOWN_SCOPE)
      },
      expected: 'status 400 with invalid_scope',
    }),
    refusing('issuance-audience-unknown', {
      title: 'a key for an unknown audience is refused',
      clause: 'RFC 8707 2',
      fix: 'If the policy of the client does not allow the audience in the parameter resource, answer with invalid_target.',
      request: { form: { resource: 'https://check.invalid/' } },
      expected: 'status 400 with invalid_target',
    }),
    refusing('issuance-subject-unknown', {
      title: 'the server refuses to issue a key for somebody else',
      fix: 'In policy.subjects, list only the subjects for which the client may ask for keys.',
      request: { form: { requested_subject: 'check.invalid-stranger' } },
      isHarmless: ({ json }) =>
        decodeToken(String(json['access_token']))?.claims['sub'] !== 'check.invalid-stranger',
    }),
    refusing('issuance-method', {
      title: 'the token endpoint refuses GET',
      clause: 'RFC 6749 3.2',
      fix: 'Route only POST to the token endpoint.',
      request: { change: asGet },
    }),
    refusing('issuance-query', {
      title: 'the server refuses parameters in the query',
      clause: 'RFC 6749 3.2, RFC 9700 4.3.2',
      fix: 'Read the parameters of the token endpoint from the body only.',
      request: { change: withQuery },
    }),
    refusing('issuance-duplicate', {
      title: 'a parameter that is sent twice is refused',
      clause: 'RFC 6749 3.2',
      fix: 'If a parameter occurs twice in a form, answer with invalid_request.',
      request: {
        change: ({ form = [], ...rest }) => ({
          ...rest,
          form: [...form, ['grant_type', 'client_credentials']],
        }),
      },
    }),
  ],
)

/** Moves the parameters to the query. Credentials stay in the body, because URLs end up in logs. */
function withQuery({ form = [], url, ...rest }: Outgoing) {
  const isCredential = ([name]: readonly [string, string]) => name.startsWith('client_')
  const query = parametersOf(form.filter((field) => !isCredential(field)))
  return { ...rest, url: `${url}?${query}`, form: form.filter(isCredential) }
}

function asGet(outgoing: Outgoing): Outgoing {
  const { form, ...rest } = withQuery(outgoing)
  return { ...rest, method: 'GET', ...(form.length > 0 && { form }) }
}

/** No cache may keep the answer. */
export function requireNoStore(deployment: DeploymentUnderTest, exchange: Exchange): Finding {
  const header = exchange.headers.get('Cache-Control') ?? 'none'
  const isRight = /\bno-store\b/i.test(header)
  return deployment.expect(exchange, isRight, 'Cache-Control: no-store', `Cache-Control: ${header}`)
}

/** A request must be refused with a status from 400 to 499. */
export function refused(
  deployment: DeploymentUnderTest,
  exchange: Exchange,
  expected = 'status 400',
): Finding {
  deployment.keyIn(exchange)
  const { status } = exchange
  return deployment.expect(exchange, status >= 400 && status < 500, expected)
}

interface Refusing extends Omit<CheckDescription, 'id'> {
  readonly request: KeyRequest
  readonly expected?: string
  /** Whether a success does not give what was asked for, because the deployment ignores the parameter. */
  readonly isHarmless?: (exchange: Exchange) => boolean
}

function refusing(
  id: string,
  { request, expected, isHarmless, ...texts }: Refusing,
): Omit<Check<DeploymentUnderTest>, 'group'> {
  return {
    id,
    ...texts,
    async run(deployment, signal) {
      const exchange = await deployment.requestKey(request, signal)
      const key = deployment.keyIn(exchange)
      if (key !== undefined && isHarmless?.(exchange)) return PASSED
      return refused(deployment, exchange, expected)
    },
  }
}
