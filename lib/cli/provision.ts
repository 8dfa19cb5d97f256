import { resolve } from 'node:path'
import { readCredential } from '../client/key-supply.js'
import { fileState } from '../client/node.js'
import { provision } from '../client/provision.js'
import { loadState, memoryState, type StateStorage, unusable } from '../client/state.js'
import type { Given } from './arguments.js'
import { type Command, type Ending, EXIT, type Surroundings } from './command.js'
import { OPTIONS, readProvisionOptions, UNSHARED_OPTIONS } from './provision-options.js'
import { type DeviceResult, environmentOf, publicJson, requireWritable, writeResult } from './result.js'
import { runProgram } from './run-program.js'

const NOTES = `The key, or the secret of the client, comes from a file, an environment variable
or the standard input. If the file of --state already contains a result, the
command reads no key and sends no request, unless a renewal is due.

With --renew-after, the device binds a new key pair with its old one, and needs
no other credentials. If this fails, the device keeps the old key pair: the
command prints the result or runs CMD as usual. Without CMD, the exit code is
then 75 or 1. The policy of the device needs rebinding: 'replace'.

stdout  The result as one JSON object, without secrets. With --exec, only CMD
        writes to stdout.
stderr  Progress and errors: sentences on a terminal, JSON lines in a pipe.

CMD gets PROVISION_ISSUER, PROVISION_CLIENT_ID, PROVISION_THUMBPRINT and
PROVISION_PRIVATE_KEY (a JWK), and PROVISION_ACCESS_TOKEN,
PROVISION_CLIENT_SECRET and PROVISION_REGISTRATION_ACCESS_TOKEN if the issuer
sent them.

Exit codes: 0 done; 1 final error; 2 wrong usage; 75 transient error, so try
again later. With --exec, the exit code of CMD; 126 or 127 if CMD cannot be run.`

/** Gets a provisioning key and redeems it. */
export const PROVISION: Command = {
  options: OPTIONS,
  programAfter: '--exec',
  notes: NOTES,
  isResumable: true,
  async run(given, surroundings) {
    const { result, renewalError } = await deviceOf(given, surroundings)
    const { output } = given.options
    if (output !== undefined) await writeResult(resolve(output), result)
    if (given.program !== undefined) return exec(given, result, surroundings)
    const { print, report } = surroundings
    await print(publicJson(result, (text) => report.redact(text)))
    // Somebody must learn that a key pair gets older and older.
    if (renewalError !== undefined) throw renewalError
    return EXIT.done
  },
}

async function deviceOf({ options }: Given, { report, signal }: Surroundings) {
  const state = options.state === undefined ? memoryState() : fileState(options.state)
  const settings = readProvisionOptions(options, { signal, onSecret: (secret) => report.hide(secret) })
  if (options.output !== undefined) await requireWritable(resolve(options.output))
  const { client } = settings
  // A wrong secret should cost no request. A saved state may need none.
  if (client !== undefined && 'secret' in client && (await isEmpty(state)))
    await readCredential(client.secret, 'client.secret')
  const { action, renewalError } = await provision({
    ...settings,
    ...((options.state !== undefined || settings.action === 'token') && { state }),
    signal,
    onProgress: (step) => report.progress(step),
  })
  const { issuer } = settings
  // Another process can have renewed the binding since, so all facts must come from one result.
  const saved = (await loadState(state, { issuer, action })).state?.result
  if (saved === undefined) throw unusable('another process has deleted it', state)
  const { clientId, thumbprint, answer, privateKey } = saved
  const result: DeviceResult = {
    issuer,
    action,
    clientId,
    thumbprint,
    answer: JSON.parse(answer),
    privateKey,
  }
  return { result, renewalError }
}

/** A state that cannot be read is reported later. */
async function isEmpty(state: StateStorage): Promise<boolean> {
  const load = async () => state.load()
  return (await load().catch(() => '')) === undefined
}

/** Runs the program after `--exec`. It does not get the secrets that this command has used. */
function exec(
  { options, program = [] }: Given,
  result: DeviceResult,
  { signal }: Surroundings,
): Promise<Ending> {
  const own = { ...process.env }
  for (const name of UNSHARED_OPTIONS) delete own[options[name] ?? '']
  return runProgram(program, { ...own, ...environmentOf(result) }, signal)
}
