import { type DecodedToken, isSignedByOne } from '../../testing/forged-token.js'
import {
  type Check,
  type CheckDescription,
  type Finding,
  failed,
  inGroup,
  PASSED,
  skipped,
  warning,
} from '../check.js'
import type { DeploymentUnderTest, IssuedKey } from './deployment-under-test.js'
import { isSameScope } from './scopes.js'

/** A check of a fresh key that is a JWT. */
interface ClaimCheck extends CheckDescription {
  readonly group?: string
  /** What is wrong: the actual and the expected value. */
  faultOf(
    token: DecodedToken,
    key: IssuedKey,
    deployment: DeploymentUnderTest,
  ): readonly [string, string] | undefined
}

const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
const MOST_SECONDS_APART = 5
/** Ids that count, or that are made from the time, differ in fewer characters. */
const LEAST_DIFFERENCES = 10

/** Does a key contain what its verifiers need? */
export const CLAIM_CHECKS = inGroup<Check<DeploymentUnderTest>>(
  { group: 'Claims', needs: ['issuance-key'] },
  [
    claimCheck({
      id: 'claims-signature',
      title: 'the signature of the key fits a public key in the JWK Set',
      clause: 'RFC 7515 5.2',
      fix: 'Let the JWK Set of every process contain the public key of the signing key that signs new keys.',
      needs: ['issuance-key', 'jwks-served'],
      faultOf: ({ header }, key, { jwks }) =>
        isSignedByOne(key.text, jwks)
          ? undefined
          : [`alg ${text(header['alg'])}, kid ${text(header['kid'])}`, 'a signature of a key in the JWK Set'],
    }),
    claimCheck({
      id: 'claims-type',
      title: 'the key has a type of its own, so that nobody can use it as another token',
      clause: 'RFC 8725 3.11',
      fix: 'Give each kind of token its own value of typ.',
      faultOf: ({ header: { typ } }) =>
        typeof typ === 'string' && !/^jwt$/i.test(typ)
          ? undefined
          : [`typ ${text(typ)}`, 'provisioning-key+jwt'],
    }),
    claimCheck({
      id: 'claims-issuer',
      title: 'the issuer in the key is the issuer of the metadata',
      clause: 'RFC 8725 3.8',
      fix: 'Set the option issuer to the same URL in all processes.',
      faultOf: ({ claims: { iss } }, _, { settings }) =>
        iss === settings.issuer ? undefined : [`iss ${text(iss)}`, settings.issuer],
    }),
    claimCheck({
      id: 'claims-audience',
      title: 'the key names the audience that it is for',
      clause: 'RFC 8725 3.9',
      fix: 'Set the option audience to the URL of the API.',
      faultOf({ claims: { aud } }, _, { settings: { audience } }) {
        const names = [aud].flat()
        const isNamed = names.length > 0 && names.every((name) => typeof name === 'string' && name !== '')
        if (isNamed && (audience === undefined || names.includes(audience))) return undefined
        return [`aud ${text(aud)}`, audience ?? 'an audience']
      },
    }),
    claimCheck({
      id: 'claims-times',
      title: 'the times in the key agree with the lifetime in the answer',
      clause: 'RFC 7519 4.1.4, RFC 6749 5.1',
      fix: 'Compute exp and expires_in from one lifetime: exp is iat plus expires_in.',
      faultOf({ claims: { iat, exp, nbf = iat } }, { exchange }) {
        const seconds = Number(exchange.json['expires_in'])
        const lifetime = Number(exp) - Number(iat)
        if (Math.abs(lifetime - seconds) <= 1 && Number(nbf) <= Number(iat)) return undefined
        return [`iat ${text(iat)}, nbf ${text(nbf)}, exp ${text(exp)}`, `an exp ${seconds} seconds after iat`]
      },
    }),
    claimCheck({
      id: 'claims-client',
      title: 'the key names its client and its subject',
      clause: 'RFC 9068 2.2',
      fix: 'Set client_id to the client that asked for the key, and sub to the subject that this client asked for.',
      faultOf({ claims: { client_id, sub } }, _, { settings: { clientId, subject = clientId } }) {
        if (client_id === clientId && sub === subject) return undefined
        return [`client_id ${text(client_id)}, sub ${text(sub)}`, `client_id ${clientId}, sub ${subject}`]
      },
    }),
    claimCheck({
      id: 'claims-scope',
      title: 'the scope in the key is the scope in the answer',
      clause: 'RFC 9068 2.2.3',
      fix: 'Put the same scope into the key and into the answer.',
      faultOf({ claims: { scope } }, { exchange }) {
        const answered = exchange.json['scope'] ?? scope
        return isSameScope(scope, answered) ? undefined : [`scope ${text(scope)}`, `scope ${text(answered)}`]
      },
    }),
    {
      id: 'claims-jti',
      title: 'each key has an id that nobody can guess',
      clause: 'RFC 7519 4.1.7',
      fix: 'Make each jti from at least 128 random bits.',
      async run(deployment, signal) {
        const ids: unknown[] = []
        for (let i = 0; i < 3; i += 1) {
          const { decoded } = await deployment.issue({}, signal)
          if (decoded === undefined) return skipped(OPAQUE)
          ids.push(decoded.claims['jti'])
        }
        if (ids.every((id, i) => isRandom(id, ids[(i + 1) % ids.length]))) return PASSED
        const expected = `three long ids that differ in at least ${LEAST_DIFFERENCES} characters`
        return failed({ actual: ids.map(text).join(', '), expected })
      },
    },
    claimCheck({
      id: 'clock-iat',
      group: 'Clock',
      title: 'the time in a key agrees with the header Date of the answer',
      clause: 'RFC 7519 4.1.6',
      fix: 'Synchronize the clocks of all servers with NTP.',
      faultOf({ claims: { iat } }, { exchange }) {
        const date = Date.parse(exchange.headers.get('Date') ?? '') / 1000
        if (Number.isNaN(date) || Math.abs(Number(iat) - date) <= MOST_SECONDS_APART) return undefined
        return [
          `iat is ${Math.round(Number(iat) - date)} seconds from the header Date`,
          `at most ${MOST_SECONDS_APART}`,
        ]
      },
    }),
    {
      id: 'clock-date',
      group: 'Clock',
      title: 'the clock of the deployment agrees with the clock of this machine',
      clause: 'RFC 9110 6.6.1',
      fix: 'Synchronize the clocks of both machines with NTP.',
      async run(deployment, signal) {
        const { headers } = await deployment.getMetadata(signal)
        const date = headers.get('Date')
        if (date === null) return skipped('the answers have no header Date')
        const seconds = Math.round((Date.parse(date) - Date.now()) / 1000)
        if (Math.abs(seconds) <= MOST_SECONDS_APART) return PASSED
        return warning({
          actual: `${seconds} seconds apart`,
          expected: `at most ${MOST_SECONDS_APART} seconds`,
        })
      },
    },
  ],
)

/** Whether an id is long, and has other characters than another one in enough places. */
function isRandom(id: unknown, other: unknown): boolean {
  if (typeof id !== 'string' || id.length < 20) return false
  const differences = [...id].filter((character, i) => character !== String(other)[i])
  return differences.length >= LEAST_DIFFERENCES
}

const OPAQUE = 'the key is no JWT'

function claimCheck({ faultOf, ...texts }: ClaimCheck): Omit<Check<DeploymentUnderTest>, 'group'> {
  return {
    ...texts,
    async run(deployment, signal): Promise<Finding> {
      const key = await deployment.sample(signal)
      if (key.decoded === undefined) return skipped(OPAQUE)
      const fault = faultOf(key.decoded, key, deployment)
      if (fault === undefined) return PASSED
      const [actual, expected] = fault
      return deployment.failed(key.exchange, expected, actual)
    },
  }
}
