import { EXCHANGE_GRANT } from '../../base/oauth-names.js'
import { isProtected } from '../../client/options.js'
import { algorithmsFor, isPrivateJwk } from '../../jose/jwk.js'
import { importKey } from '../../testing/forged-token.js'
import { type Check, type Finding, failed, inGroup, PASSED, warning } from '../check.js'
import { type DeploymentUnderTest, isJwks } from './deployment-under-test.js'

/** What the run needs of a deployment, and where the metadata name it. */
const PARTS: readonly (readonly [name: string, has: (deployment: DeploymentUnderTest) => boolean])[] = [
  ['jwks_uri', ({ metadata }) => 'jwks_uri' in metadata],
  ['introspection_endpoint', ({ metadata }) => 'introspection_endpoint' in metadata],
  ['revocation_endpoint', ({ metadata }) => 'revocation_endpoint' in metadata],
  ['the grant client_credentials', (it) => it.supportsGrant('client_credentials')],
  ['the token exchange (RFC 8693)', (it) => it.supportsGrant(EXCHANGE_GRANT)],
  ['DPoP (RFC 9449)', ({ metadata }) => 'dpop_signing_alg_values_supported' in metadata],
]

/** Do the metadata say correctly what the deployment can do? */
export const DISCOVERY_CHECKS = inGroup<Check<DeploymentUnderTest>>({ group: 'Discovery' }, [
  {
    id: 'discovery-metadata',
    title: 'the metadata are a JSON object with a token endpoint',
    clause: 'RFC 8414 3.2',
    fix: 'Mount keys.router() in the app that answers at the host of the option issuer. Make sure that no proxy or middleware changes the answers at /.well-known/.',
    needs: ['reachable'],
    async run(deployment, signal) {
      const exchange = await deployment.getMetadata(signal)
      const { status, headers, json } = exchange
      const type = headers.get('Content-Type') ?? 'none'
      const expected = 'status 200 with a JSON object that has a token_endpoint'
      if (status !== 200) return deployment.failed(exchange, expected)
      if (!/^application\/json\b/i.test(type))
        return deployment.failed(exchange, expected, `the Content-Type ${type}`)
      if (typeof json['token_endpoint'] !== 'string') return deployment.failed(exchange, expected)
      deployment.metadata = json
      return PASSED
    },
  },
  {
    id: 'discovery-issuer',
    title: 'the metadata name the issuer that you check',
    clause: 'RFC 8414 3.3',
    fix: 'Set the option issuer to exactly the URL that clients use.',
    needs: ['discovery-metadata'],
    run({ metadata, settings, redact }) {
      if (metadata['issuer'] === settings.issuer) return PASSED
      return failed({ actual: redact(String(metadata['issuer'])), expected: settings.issuer })
    },
  },
  {
    id: 'discovery-endpoints',
    title: 'all endpoints use HTTPS, and have the host and port of the issuer',
    clause: 'RFC 8414 2',
    fix: 'Set the option issuer to the https URL that clients use.',
    needs: ['discovery-metadata'],
    run: checkEndpoints,
  },
  {
    id: 'discovery-algorithms',
    title: 'the metadata announce only secure signature algorithms',
    clause: 'RFC 8725 3.1, RFC 9449 5.1',
    fix: 'Remove none and RS1 from all lists of algorithms in the metadata. Also remove HS256, HS384 and HS512 from the list dpop_signing_alg_values_supported.',
    needs: ['discovery-metadata'],
    run({ metadata }) {
      const lists = Object.entries(metadata).filter(([name]) =>
        /^(dpop_signing_alg|token_endpoint_auth_signing_alg)_values_supported$/.test(name),
      )
      const algorithms = lists.flatMap(([, list]) => (Array.isArray(list) ? list : []))
      const weak = algorithms.filter((one) => /^(none|RS1)$/i.test(String(one)))
      const symmetric = Array.isArray(metadata['dpop_signing_alg_values_supported'])
        ? metadata['dpop_signing_alg_values_supported'].filter((one) => /^HS/.test(String(one)))
        : []
      const all = [...weak, ...symmetric]
      return all.length === 0 ? PASSED : failed({ actual: all.join(', '), expected: 'signatures only' })
    },
  },
  {
    id: 'discovery-parts',
    title: 'the metadata announce all endpoints and features that the checks need',
    clause: 'RFC 8414 2',
    fix: 'Add the missing endpoints and features, or accept that the command skips the checks that need them.',
    needs: ['discovery-metadata'],
    run(deployment) {
      const missing = PARTS.filter(([, has]) => !has(deployment)).map(([name]) => name)
      if (missing.length === 0) return PASSED
      return warning({ actual: `missing: ${missing.join(', ')}`, expected: 'all parts' })
    },
  },
  {
    id: 'jwks-served',
    group: 'Signing keys',
    title: 'the server publishes its public keys as a JWK Set',
    clause: 'RFC 7517 5',
    fix: 'Serve the JWK Set at the jwks_uri of the metadata.',
    needs: ['discovery-metadata'],
    async run(deployment, signal) {
      const exchange = await deployment.send({ method: 'GET', url: deployment.endpoint('jwks_uri') }, signal)
      const { keys } = exchange.json
      if (exchange.status !== 200 || !isJwks(keys))
        return deployment.failed(exchange, 'status 200 with a list of keys')
      deployment.jwks = keys
      return PASSED
    },
  },
  {
    id: 'jwks-public',
    group: 'Signing keys',
    title: 'the JWK Set contains only public keys',
    clause: 'RFC 7517 9.2, RFC 7518 6',
    fix: 'Replace all signing keys now, and publish only their public parts.',
    needs: ['jwks-served'],
    run({ jwks }) {
      const exposed = jwks.filter(isPrivateJwk).length
      if (exposed === 0) return PASSED
      return failed({ actual: `${exposed} of ${jwks.length} keys`, expected: 'public keys only' })
    },
  },
  {
    id: 'jwks-strength',
    group: 'Signing keys',
    title: 'all public keys are strong, and each has its own kid',
    clause: 'RFC 7517 4.5, RFC 7518 3.3',
    fix: 'Replace weak signing keys with ES256 keys, and give each signing key a kid of its own.',
    needs: ['jwks-served'],
    run({ jwks }) {
      const kids = new Set(jwks.map(({ kid }) => kid))
      if (kids.size < jwks.length || kids.has(undefined))
        return failed({ actual: 'a kid that is missing or repeated', expected: 'one kid for each key' })
      const weak = jwks.filter((jwk) => {
        const key = importKey(jwk)
        return key?.asymmetricKeyType !== 'ed25519' && (key === undefined || algorithmsFor(key).length === 0)
      })
      if (weak.length === 0) return PASSED
      const expected =
        'keys on P-256, P-384, P-521 or Ed25519, or RSA keys of 2048 to 4096 bits with the exponent 65537'
      return failed({
        actual: weak.map(({ kty, crv }) => [kty, crv].filter(Boolean).join(' ')).join(', '),
        expected,
      })
    },
  },
])

function checkEndpoints({ metadata, settings }: DeploymentUnderTest): Finding {
  const { origin } = new URL(settings.issuer)
  const endpoints = Object.entries(metadata).filter(([name]) => /_endpoint$|^jwks_uri$/.test(name))
  const isWrong = (url: unknown) => typeof url !== 'string' || !URL.canParse(url) || !isProtected(url)
  const wrong = endpoints.filter(([, url]) => isWrong(url)).map(([name]) => name)
  if (wrong.length > 0) return failed({ actual: `${wrong.join(', ')} without TLS`, expected: 'https URLs' })
  const foreign = endpoints.filter(([, url]) => new URL(String(url)).origin !== origin)
  if (foreign.length === 0) return PASSED
  return warning({ actual: foreign.map(([name, url]) => `${name}: ${url}`).join(', '), expected: origin })
}
