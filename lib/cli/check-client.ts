import { accessSync, constants, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { delimiter, join } from 'node:path'
import { clientChecks } from '../checks/client/client-checks.js'
import { ClientUnderTest } from '../checks/client/client-under-test.js'
import { readChoice, readSeconds, UsageError } from './arguments.js'
import { CHECK_NOTES, CHECK_OPTIONS, runCheckCommand } from './checking.js'
import type { Command } from './command.js'

/** Most scenarios wait most of the time. */
const SCENARIOS_PER_CORE = 2

const NOTES = `COMMAND is a client in any language, with its arguments. It runs without a
shell, once for each scenario. Each scenario has its own issuer on this machine.
The environment of COMMAND contains these variables:

  ISSUER           The URL of the issuer
  CLIENT_ID, CLIENT_SECRET, SUBJECT, SCOPE
                   Which client asks for a key, for which device and scope
  PROVISIONING_KEY The key, with --supply key. Then the four variables above do
                   not exist
  ACTION           bind: the client binds a key pair at /oauth/bind
  STATE            A file that does not exist yet, in an empty folder. The
                   client saves everything there or beside it
  DEADLINE         The seconds after which the client should give up
  CA_FILE          The authority to trust, if ISSUER is an https URL.
                   NODE_EXTRA_CA_CERTS, SSL_CERT_FILE, CURL_CA_BUNDLE and
                   REQUESTS_CA_BUNDLE name the same file

If COMMAND has enrolled the device, it must end with the exit code 0. If not,
COMMAND must end with another code, and print an error. The command check-client
searches the output, the URLs and the arguments of the client for secrets.

${CHECK_NOTES}`

/** Runs a client against an issuer that disturbs it. */
export const CHECK_CLIENT: Command = {
  options: {
    supply: { value: 'HOW', about: 'client: asks for a key (default). key: gets a key' },
    timeout: { value: 'SECONDS', about: 'The time limit of a run of the client. Default: 60' },
    ...CHECK_OPTIONS,
  },
  programAfter: '--',
  notes: NOTES,
  async run({ options, program }, surroundings) {
    if (program === undefined) throw new UsageError('expected -- and the command of a client, got nothing')
    const supply = readChoice('supply', options['supply'] ?? 'client', ['client', 'key'])
    const timeoutSeconds = readSeconds('timeout', options['timeout'] ?? '60', 9999)
    requireProgram(program[0] ?? '')
    const env = { ...process.env }
    // The issuer of this command is local, whatever the client will be.
    delete process.env['NODE_ENV']
    // The issuer of this command is meant to be wrong, so nobody needs its advice.
    process.removeAllListeners('warning')
    const onSecret = (secret: string) => surroundings.report.hide(secret)
    const client = new ClientUnderTest({ program, env, timeoutSeconds, supply, onSecret })
    const reportsUsualLeaks = options['only'] === undefined && options['skip'] === undefined
    return runCheckCommand(
      {
        checks: clientChecks(timeoutSeconds),
        subject: program[0] ?? '',
        context: { client, reportsUsualLeaks },
        concurrency: SCENARIOS_PER_CORE * availableParallelism(),
      },
      { options, surroundings },
    )
  },
}

/** Looks for a program as `execvp()` does. */
function requireProgram(name: string): void {
  const { PATH = '' } = process.env
  const places = name.includes('/') ? [name] : PATH.split(delimiter).map((folder) => join(folder, name))
  if (!places.some(isProgram)) throw new UsageError(`--: cannot find the program ${name}, or cannot run it`)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
