import { DEPLOYMENT_CHECKS } from '../checks/deployment/checks.js'
import { DeploymentUnderTest } from '../checks/deployment/deployment-under-test.js'
import type { DeploymentSettings } from '../checks/deployment/session.js'
import { authorityOf, FINGERPRINT } from '../client/node/pinned-fetch.js'
import { isProtected, readSecret } from '../client/options.js'
import { type Given, type OptionTable, readFileOf, UsageError } from './arguments.js'
import { CHECK_NOTES, CHECK_OPTIONS, runCheckCommand } from './checking.js'
import type { Command, Surroundings } from './command.js'
import { promptSecret } from './prompt.js'
import { requireClientSecret, secretSourceOf } from './provision-options.js'

const OPTIONS: OptionTable = {
  'client-id': { value: 'ID', about: 'The test client, which gets and redeems keys' },
  'secret-file': { value: 'FILE', about: 'Read the secret of the client from FILE' },
  'secret-env': { value: 'NAME', about: 'Read the secret of the client from the variable NAME' },
  scope: { value: 'SCOPES', about: 'Scopes of the keys. Default: those in defaultScopes' },
  subject: { value: 'ID', about: 'The identity of the keys. Default: the client itself' },
  audience: { value: 'URL', about: 'The audience of the keys. Default: that of the issuer' },
  'other-audience': { value: 'URL', about: 'An audience that --protected-url must refuse' },
  'protected-url': { value: 'URL', about: 'A GET route that accepts keys without redeeming them' },
  'redeem-url': { value: 'URL', about: 'A POST route that redeems keys. Default: the exchange' },
  'redeem-body': { value: 'JSON', about: 'The body for --redeem-url. Default: {}' },
  'device-prefix': { value: 'TEXT', about: 'Also enroll a device whose name begins with TEXT' },
  'http-port': { value: 'PORT', about: 'The plain HTTP port. Default: 80 if HTTPS uses 443' },
  'ca-file': { value: 'FILE', about: 'Trust only the authorities in FILE (PEM)' },
  'ca-sha256': { value: 'HEX', about: 'Trust only the authority with this fingerprint' },
  wait: { value: 'SECONDS', about: 'How long the checks may wait in total. Default: 10' },
  ...CHECK_OPTIONS,
}

const NOTES = `The secret comes from a file, an environment variable, or a prompt. Use a client
that has no other purpose: the checks send about 200 requests, some of them
forged or repeated, so the server opens findings about this client. The checks
revoke or redeem all keys that they get. --protected-url and --redeem-url can
also be a path on the server of ISSUER, such as /devices.

${CHECK_NOTES}`

/** Tests a deployment from outside. */
export const CHECK: Command = {
  operand: 'ISSUER',
  options: OPTIONS,
  notes: NOTES,
  async run(given, surroundings) {
    const deployment = new DeploymentUnderTest(await readSettings(given, surroundings))
    const { issuer } = deployment.settings
    return runCheckCommand(
      {
        checks: DEPLOYMENT_CHECKS,
        subject: issuer,
        context: deployment,
        async cleanUp() {
          const left = await deployment.cleanUp(AbortSignal.timeout(30_000))
          const made = [...deployment.clients].map(({ clientId }) => clientId)
          if (made.length > 0) return `Delete the client ${made.join(' and ')}: the checks have made it.`
          if (left === 0) return undefined
          return `${left} test keys or tokens could not be revoked. They expire by themselves.`
        },
      },
      { options: given.options, surroundings },
    )
  },
}

async function readSettings(
  { options, operand = '' }: Given,
  { report, signal }: Surroundings,
): Promise<DeploymentSettings> {
  const issuer = readUrl('ISSUER', operand)
  const clientId = options['client-id']
  if (clientId === undefined) throw new UsageError('--client-id: expected ID, got nothing')
  const url = (name: string) => readRoute(`--${name}`, options[name], issuer)
  const settings = {
    issuer,
    clientId,
    scope: options.scope,
    subject: options.subject,
    audience: options.audience,
    otherAudience: options['other-audience'],
    protectedUrl: url('protected-url'),
    redeemUrl: url('redeem-url'),
    redeemBody: readJson(options['redeem-body']),
    devicePrefix: options['device-prefix'],
    cleartextPort: readNumber('http-port', options['http-port'], 65_535),
    waitSeconds: readNumber('wait', options.wait, 86_400) ?? 10,
    trusted: readAuthorities(issuer, options),
  }
  const reading = { signal, onSecret: (secret: string) => report.hide(secret) }
  const source = secretSourceOf('secret', options, reading)
  const secret = await readSecret(source ?? (() => promptSecret(`Secret of the client ${clientId}`, signal)))
  const clientSecret = secret.trim()
  requireClientSecret('--client-id', clientSecret)
  report.hide(clientSecret)
  return { ...settings, clientSecret }
}

/** The URL of a route. A path is one of the server of the issuer. */
function readRoute(name: string, value: string | undefined, issuer: string): string | undefined {
  if (value === undefined) return undefined
  const url = value.startsWith('/') ? `${new URL(issuer).origin}${value}` : value
  return readUrl(name, url, 'expected a path such as /devices, an https URL, or http://localhost')
}

/** The client sends its secret or its keys there, so nobody on the way may read them. */
function readUrl(
  name: string,
  value: string,
  expected = 'expected an https URL, or http://localhost',
): string {
  if (!URL.canParse(value) || !isProtected(value))
    throw new UsageError(`${name}: ${expected}, got another text`)
  if (/[?#@]/.test(value)) throw new UsageError(`${name}: ${expected} without ?, # and @, got one of them`)
  return value
}

function readJson(text: string | undefined): string | undefined {
  try {
    if (text !== undefined) JSON.parse(text)
    return text
  } catch {
    throw new UsageError('--redeem-body: expected JSON, got another text')
  }
}

function readNumber(name: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,5}$/.test(text) && Number(text) <= most) return Number(text)
  throw new UsageError(`--${name}: expected a number up to ${most}, got another text`)
}

function readAuthorities(issuer: string, options: Given['options']): DeploymentSettings['trusted'] {
  const [file, sha256] = [options['ca-file'], options['ca-sha256']]
  if (file !== undefined && sha256 !== undefined)
    throw new UsageError('--ca-file: expected either --ca-file or --ca-sha256, got both')
  if (file !== undefined) {
    const pem = readPem(file)
    return async () => [pem]
  }
  if (sha256 === undefined) return undefined
  if (!FINGERPRINT.test(sha256)) throw new UsageError('--ca-sha256: expected 64 hex digits, got another text')
  if (!issuer.startsWith('https:')) throw new UsageError('--ca-sha256: expected an https URL as ISSUER')
  return async (signal) => [await authorityOf(new URL(issuer), sha256, signal)]
}

function readPem(file: string): string {
  const text = readFileOf('--ca-file', file)
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  throw new UsageError(`--ca-file: expected PEM certificates in ${file}, got another text`)
}
