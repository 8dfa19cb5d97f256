import { stat } from 'node:fs/promises'
import { systemCode } from '../base/system-code.js'
import { plainJson } from '../checks/report/terminal.js'
import { oneLine } from '../client/failure.js'
import { withFileLock } from '../client/node/file-lock.js'
import { loadFile } from '../client/node/file-state.js'
import { replaceFile, tryToReplace } from '../client/node/replace-file.js'
import type { PrivateKeyJwk } from '../client/signer.js'
import type { ProvisionAction } from '../client/state.js'
import { PRIVATE_MEMBERS } from '../jose/jwk.js'
import { UsageError } from './arguments.js'

/** Everything that a device has after `provision`. */
export interface DeviceResult {
  readonly issuer: string
  readonly action: ProvisionAction
  readonly clientId: string
  readonly thumbprint: string
  readonly answer: Readonly<Record<string, unknown>>
  /** With DPoP, an access token is of no use without it. */
  readonly privateKey: PrivateKeyJwk | undefined
}

/** The names of members that contain secrets, such as `access_token` and `client_secret`. */
const SECRET_NAME = /(^|_)(token|secret|password|assertion|private_key)$/

/**
 * The result as JSON for logs and pipes: without secrets.
 *
 * @param redact replaces the secrets in a text
 */
export function publicJson(
  { action, clientId, thumbprint, answer }: DeviceResult,
  redact: (text: string) => string,
): string {
  const shown = withoutSecrets({ action, clientId, thumbprint, answer }, redact)
  return `${plainJson(JSON.stringify(shown))}\n`
}

/** A value without the members that contain secrets, at each depth. */
function withoutSecrets(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === 'string') return redact(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((one) => withoutSecrets(one, redact))
  const isSecret = (name: string) =>
    SECRET_NAME.test(name) || (Object.hasOwn(value, 'kty') && PRIVATE_MEMBERS.includes(name))
  const shown = Object.entries(value).filter(([name]) => !isSecret(name))
  return Object.fromEntries(shown.map(([name, member]) => [name, withoutSecrets(member, redact)]))
}

/** A file cannot be written. */
export class OutputError extends Error {
  constructor(file: string, cause: unknown) {
    super(`cannot write ${file} (${systemCode(cause) ?? oneLine(cause)}).`, { cause })
  }
}

/**
 * Checks that a result can be written, because a result that cannot be written must not cost a key. A file takes the place
 * of the one with its name, which must not be a device such as /dev/stdout.
 *
 * @throws UsageError if there is something other than a file
 * @throws OutputError
 */
export async function requireWritable(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined)
  if (found?.isFile() === false)
    throw new UsageError('--output: expected a file, got a folder, a device or a pipe')
  await written(file, () => tryToReplace(file))
}

/**
 * Writes the whole result, with its secrets, to a file that only its owner can read. It leaves the file alone if the file
 * has this result already, so that a program can watch the file.
 *
 * @throws OutputError
 */
export async function writeResult(file: string, result: DeviceResult): Promise<void> {
  const { action, clientId, thumbprint, answer, privateKey } = result
  const text = `${JSON.stringify({ action, clientId, thumbprint, answer, privateKey }, undefined, 2)}\n`
  await written(file, async () => {
    const found = await loadFile(file).catch(() => undefined)
    if (found !== text) await replaceFile(file, text)
  })
}

/** @throws OutputError */
async function written(file: string, write: () => Promise<void>): Promise<void> {
  await withFileLock(`${file}.lock`, write).catch((cause) => {
    throw new OutputError(file, cause)
  })
}

/** The environment variables that a program after `--exec` gets. Those without a value are removed. */
export function environmentOf(result: DeviceResult): Record<string, string | undefined> {
  const { access_token, client_secret, registration_access_token } = result.answer
  return {
    PROVISION_ISSUER: result.issuer,
    PROVISION_CLIENT_ID: result.clientId,
    PROVISION_THUMBPRINT: result.thumbprint,
    PROVISION_PRIVATE_KEY: result.privateKey && JSON.stringify(result.privateKey),
    PROVISION_ACCESS_TOKEN: textOrNone(access_token),
    PROVISION_CLIENT_SECRET: textOrNone(client_secret),
    PROVISION_REGISTRATION_ACCESS_TOKEN: textOrNone(registration_access_token),
  }
}

function textOrNone(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
