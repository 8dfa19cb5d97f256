import { abortable } from '../base/abortable.js'
import { describeSecret } from '../base/faults.js'
import { isLongEnough, SHORTEST_SECRET } from '../base/secret.js'
import { systemCode } from '../base/system-code.js'
import type { ConfigurationError, ProvisionOptions, SecretSource } from '../client/client.js'
import { oneLine } from '../client/failure.js'
import { pinnedFetch, secretFromEnvironment, secretFromFile, secretFromStdin } from '../client/node.js'
import { type Given, type OptionTable, UsageError } from './arguments.js'
import { isSameFile } from './same-file.js'

export const OPTIONS: OptionTable = {
  issuer: { value: 'URL', about: 'The issuer: an https URL, or http://localhost' },
  action: { value: 'ACTION', about: 'bind, register or token' },
  'key-file': { value: 'FILE', about: 'Read the provisioning key from FILE' },
  'key-env': { value: 'NAME', about: 'Read the provisioning key from the variable NAME' },
  'key-stdin': { about: 'Read the provisioning key from the standard input' },
  'client-id': { value: 'ID', about: 'Ask for a key as this client, with a secret' },
  'secret-file': { value: 'FILE', about: 'Read the secret of the client from FILE' },
  'secret-env': { value: 'NAME', about: 'Read the secret of the client from the variable NAME' },
  subject: { value: 'ID', about: 'The identity that the key is for' },
  scope: { value: 'SCOPES', about: 'The scopes of the access tokens, separated by spaces' },
  resource: { value: 'URL', about: 'The API that the access tokens are for' },
  state: { value: 'FILE', about: 'Keep the key pair and the result in FILE (mode 0600)' },
  'renew-after': { value: 'SECONDS', about: 'Bind a new key pair when the old one is so old' },
  'ca-sha256': { value: 'HEX', about: 'Trust only the authority with this fingerprint' },
  deadline: { value: 'SECONDS', about: 'Stop after this time. Default: 120' },
  output: { value: 'FILE', about: 'Write the result with its secrets to FILE (mode 0600)' },
  exec: { value: 'CMD...', about: 'Last option: run CMD with the result in its environment' },
}

/** The options that name a variable with a secret. */
export const UNSHARED_OPTIONS = ['key-env', 'secret-env'] as const

/** The options with other names than those of `provision()`. */
const NAMES: Readonly<Record<string, string>> = {
  deadlineSeconds: 'deadline',
  renewAfterSeconds: 'renew-after',
  sha256: 'ca-sha256',
  'client.id': 'client-id',
}

type Values = Given['options']

/** How secrets are read. */
export interface SecretReading {
  /** Ends the reading. */
  readonly signal: AbortSignal
  /** Receives each secret that is read. */
  readonly onSecret: (secret: string) => void
}

/**
 * The options of `provision()`, without its state.
 *
 * @throws UsageError
 */
export function readProvisionOptions(options: Values, reading: SecretReading): ProvisionOptions {
  for (const name of ['issuer', 'action'] as const)
    if (options[name] === undefined)
      throw new UsageError(`--${name}: expected ${OPTIONS[name]?.value}, got nothing`)
  if (options.state === undefined && options.action !== 'token')
    throw new UsageError(`--state: expected a file for the private key, because --action is not token`)
  const { issuer = '', action, subject, scope, resource, deadline, output } = options
  const renewAfter = options['renew-after']
  for (const name of ['state', 'key-file', 'secret-file'])
    if (output !== undefined && isSameFile(output, options[name] ?? ''))
      throw new UsageError(`--output: expected another file than that of --${name}, got the same`)
  return {
    issuer,
    action: action as ProvisionOptions['action'],
    ...readCredentials(options, reading),
    ...(subject !== undefined && { subject }),
    ...(scope !== undefined && { scope }),
    ...(resource !== undefined && { resource }),
    ...(renewAfter !== undefined && { renewAfterSeconds: Number(renewAfter) }),
    ...(deadline !== undefined && { deadlineSeconds: Number(deadline) }),
    ...pinned(options),
  }
}

/** The faults of the options of `provision()`, with the names of the command line. */
export function usageErrorOf({ faults }: ConfigurationError): UsageError {
  const named = faults.map((fault) =>
    fault.replace(/^[\w.]+(?=:)/, (path) => `--${Object.hasOwn(NAMES, path) ? NAMES[path] : path}`),
  )
  return new UsageError(named.join('; '))
}

function readCredentials(options: Values, reading: SecretReading): Pick<ProvisionOptions, 'key' | 'client'> {
  const id = options['client-id']
  const key = secretSourceOf('key', options, reading)
  const secret = secretSourceOf('secret', options, reading)
  if (id === undefined && secret !== undefined)
    throw new UsageError('--client-id: expected the client of the secret, got nothing')
  if (id !== undefined && key !== undefined)
    throw new UsageError('--client-id: expected either a client or a key, got both')
  if (id !== undefined && secret === undefined)
    throw new UsageError('--client-id: expected --secret-file or --secret-env with it, got neither')
  if (id !== undefined && secret !== undefined) return { client: { id, secret } }
  if (key === undefined)
    throw new UsageError('expected --key-file, --key-env or --key-stdin, or --client-id; got none of them')
  return { key }
}

/** Where the key or the secret comes from. It is read only if it is needed. */
export function secretSourceOf(
  what: 'key' | 'secret',
  options: Values,
  reading: SecretReading,
): SecretSource | undefined {
  const file = options[`${what}-file`]
  const name = options[`${what}-env`]
  const isStdin = options[`${what}-stdin`] !== undefined
  if ([file !== undefined, name !== undefined, isStdin].filter(Boolean).length > 1)
    throw new UsageError(`--${what}-*: expected one place for the ${what}, got several`)
  // A secret by mistake in place of its name must not become part of a message.
  if (name !== undefined && !/^[A-Z_][A-Z0-9_]{0,99}$/.test(name))
    throw new UsageError(
      `--${what}-env: expected the name of a variable in capital letters, got another text`,
    )
  const thing = what === 'key' ? 'the provisioning key' : 'the secret of the client'
  const from = (option: string, explain: Place['explain']): Place => ({ what, option, explain })
  if (isStdin) return reader(from(`--${what}-stdin`, oneLine), secretFromStdin(), reading)
  if (file !== undefined) {
    const place = from(`--${what}-file`, (cause) => unreadable(file, cause, thing))
    return reader(place, secretFromFile(file), reading)
  }
  if (name === undefined) return undefined
  const unset = `the variable ${name} is not set; export it with ${thing} in it`
  return reader(
    from(`--${what}-env`, () => unset),
    secretFromEnvironment(name),
    reading,
  )
}

/** Where a key or a secret comes from. */
interface Place {
  readonly what: 'key' | 'secret'
  readonly option: string
  /** Says why it cannot be read, and what to do. */
  readonly explain: (cause: unknown) => string
}

function unreadable(file: string, cause: unknown, thing: string): string {
  const code = systemCode(cause)
  return code === undefined
    ? oneLine(cause)
    : `cannot read ${file} (${code}); name a file that contains ${thing}`
}

/** Reads a secret that must never be written. The result throws a `UsageError`. */
function reader(
  { what, option, explain }: Place,
  read: () => string | Promise<string>,
  { signal, onSecret }: SecretReading,
): SecretSource {
  const readOnce = async () => {
    const secret = await abortable(read, signal).catch((cause) => {
      throw signal.aborted ? cause : new UsageError(`${option}: ${explain(cause)}`)
    })
    if (what === 'secret') requireClientSecret(option, secret)
    // A shorter text is no key. To hide it would replace parts of words.
    if (isLongEnough(secret.trim())) onSecret(secret)
    return secret
  }
  // A pipe, such as <(pass show fleet), can be read only once.
  let secret: Promise<string> | undefined
  return () => {
    secret ??= readOnce()
    return secret
  }
}

/**
 * The server accepts no shorter secret. A short text is a mistake, and to hide it would replace parts of words.
 *
 * @throws UsageError
 */
export function requireClientSecret(source: string, given: string): void {
  const secret = given.trim()
  if (isLongEnough(secret)) return
  const expected = `the secret of the client, which has at least ${SHORTEST_SECRET} characters`
  throw new UsageError(`${source}: expected ${expected}, got ${describeSecret(secret)}`)
}

function pinned({ issuer, 'ca-sha256': sha256 }: Values): Pick<ProvisionOptions, 'fetch'> {
  if (sha256 === undefined) return {}
  if (!issuer?.startsWith('https:')) throw new UsageError('--ca-sha256: expected an https URL as --issuer')
  return { fetch: pinnedFetch({ sha256 }) }
}
