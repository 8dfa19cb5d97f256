import { abortable } from '../base/abortable.js'
import { REASONS } from '../base/errors.js'
import { ipAddress } from '../base/network.js'
import { REMEDIES } from '../base/remedies.js'
import { systemCode } from '../base/system-code.js'
import { checksOf } from '../checks/key/checks.js'
import { readDump } from '../checks/key/request-dump.js'
import { separateAnswer } from '../checks/key/server-answer.js'
import { kindOf, newSubject, type Subject } from '../checks/key/subject.js'
import { oneLine } from '../client/failure.js'
import { secretFromFile, secretFromStdin } from '../client/node.js'
import { LONGEST_LIFETIME_SECONDS } from '../options/policy.js'
import { normalizeTarget } from '../possession/target.js'
import { type Given, type OptionTable, readChoice, readSeconds, UsageError } from './arguments.js'
import { CHECK_NOTES, CHECK_OPTIONS, runCheckCommand } from './checking.js'
import type { Command } from './command.js'
import { DOCUMENT_OPTIONS, readDocuments } from './deployment-documents.js'
import { packagePage } from './package.js'

const OPTIONS: OptionTable = {
  ...DOCUMENT_OPTIONS,
  kind: { value: 'KIND', about: 'The credential: key (default) or access-token' },
  audience: { value: 'URLS', about: 'The audiences of the API, separated by commas' },
  scope: { value: 'SCOPES', about: 'The scopes of the route, separated by spaces' },
  environment: { value: 'NAME', about: 'The option environment of the deployment' },
  'no-environment': { about: 'For a server without the option environment' },
  method: { value: 'METHOD', about: 'The method of the request, if the text has none' },
  url: { value: 'URL', about: 'The URL of the request as the server knows it' },
  address: { value: 'IP', about: 'The IP address of the caller' },
  'max-lifetime': { value: 'SECONDS', about: 'The option maxLifetimeSeconds. Default: 3600' },
  at: { value: 'TIME', about: 'The time to check at, in ISO 8601. Default: now' },
  ...CHECK_OPTIONS,
}

const NOTES = `FILE contains a key, or a request: raw HTTP, the output of curl -v, or a curl
command. FILE can also contain the answer of the server, as curl -v and curl -i
print it. Without FILE, or with -, the command reads the standard input. Never
pass a key as an argument, because all users of the machine can see it.

The command sends the key nowhere, and prints no key, no signature and no
secret. Only --issuer without --metadata and --jwks uses the network. Without
the JWK Set, the signature is not checked. Only the server knows whether a key
was redeemed or revoked, so without an answer the command cannot see that.

${CHECK_NOTES}`

/** Explains why a key or a request is refused. */
export const EXPLAIN: Command = {
  operand: '[FILE]',
  options: OPTIONS,
  notes: NOTES,
  async run({ options, operand = '-' }, surroundings) {
    const { signal, report } = surroundings
    const settings = readSettings(options)
    const documents = await abortable(() => readDocuments(options), signal)
    const text = await readText(operand, signal)
    for (const secret of secretsIn(text)) report.hide(secret)
    const { request, answer } = separateAnswer(text, (quoted) => report.redact(quoted))
    const dump = readDump(request, settings)
    const context = newSubject({ dump, answer }, { ...settings, ...documents })
    const plan = { checks: checksOf(context), context, subject: dump.isRequest ? 'a request' : 'a key' }
    // The page has a section for each reason of a refusal.
    const help = packagePage('troubleshooting.md')
    return runCheckCommand<Subject>(plan, { options, operand, surroundings, help })
  },
}

async function readText(file: string, signal: AbortSignal): Promise<string> {
  try {
    const text = await abortable(file === '-' ? secretFromStdin() : secretFromFile(file), signal)
    if (text.trim() !== '') return text
  } catch (error) {
    if (signal.aborted) throw error
    throw new UsageError(
      `cannot read ${file === '-' ? 'the request' : file} (${systemCode(error) ?? oneLine(error)})`,
    )
  }
  throw new UsageError('expected a key or a request, got an empty text')
}

/** All long words: a signature or a secret has no other form that reports could recognize. */
function secretsIn(text: string): string[] {
  const words = longWords(text).filter((word) => !KNOWN_WORDS.has(word))
  return [...new Set([...basicSecretsIn(text), ...words])].slice(0, 1000)
}

/** Long words of the answers of this library. */
const KNOWN_WORDS: ReadonlySet<string> = new Set(longWords(JSON.stringify([REASONS, REMEDIES])))

function longWords(text: string): string[] {
  return text.split(/[^\w+=~-]+/).filter((word) => word.length >= 20)
}

/** The client secrets of Basic headers. A short one could be a common word. */
function basicSecretsIn(text: string): string[] {
  const headers = [...text.matchAll(/\bbasic +([\w+/-]+)/gi)]
  const pairs = headers.map(([, pair = '']) => Buffer.from(pair, 'base64').toString())
  return pairs.map((pair) => pair.replace(/^[^:]*:/, '')).filter((secret) => secret.length >= 8)
}

function readSettings({ kind = 'key', audience, scope, ...options }: Given['options']) {
  const kindOfToken = readChoice('kind', kind, ['key', 'access-token'])
  const { address, url, method, environment, at, 'max-lifetime': lifetime = '3600' } = options
  const isWithout = options['no-environment'] !== undefined
  if (isWithout && environment !== undefined)
    throw new UsageError('--no-environment: expected it without --environment, got both')
  if (address !== undefined && ipAddress(address) === undefined)
    throw new UsageError('--address: expected an IP address, got another text')
  if (url !== undefined && normalizeTarget(url) === undefined)
    throw new UsageError('--url: expected an http or https URL, got another text')
  const maxLifetimeSeconds = readSeconds('max-lifetime', lifetime, LONGEST_LIFETIME_SECONDS)
  const time = at === undefined ? undefined : Date.parse(at)
  if (Number.isNaN(time))
    throw new UsageError('--at: expected a time such as 2026-01-31T12:00:00Z, got another text')
  return {
    ...kindOf(kindOfToken),
    ...(audience !== undefined && { audiences: audience.split(',').map((one) => one.trim()) }),
    ...(scope !== undefined && { scope: scope.trim().split(/\s+/) }),
    environment,
    hasNoEnvironment: isWithout,
    address,
    url,
    method,
    maxLifetimeSeconds,
    now: time === undefined ? Date.now : () => time,
  }
}
