/**
 * A device as a process. With KILL_AT it kills itself at that step: before each call that changes a file, and before and
 * after each request. It prints its client id, the thumbprint of its key pair and the number of its steps.
 */
import type * as files from 'node:fs/promises'
import { ProvisionError, provision } from '../../lib/client/client.js'
import { fileState } from '../../lib/client/node.js'

const { ISSUER = '', STATE = '', SECRET = '', SUBJECT = '', ACTION = 'bind', KILL_AT = '0' } = process.env
const { RENEW_AFTER } = process.env
let steps = 0

function step(): void {
  steps += 1
  if (steps === Number(KILL_AT)) process.kill(process.pid, 'SIGKILL')
}

type Anything = (...given: unknown[]) => unknown

/** Lets each call of these methods be a step. */
function count(of: object, names: readonly string[]): void {
  for (const name of names) {
    const original: Anything = Reflect.get(of, name)
    const counted: Anything = (...given) => {
      step()
      return original.apply(of, given)
    }
    Reflect.set(of, name, counted)
  }
}

const promises: typeof files = require('node:fs/promises')
const open = promises.open
Reflect.set(promises, 'open', async (...given: Parameters<typeof open>) => {
  step()
  const handle = await open(...given)
  count(handle, ['writeFile', 'sync', 'close'])
  return handle
})
count(promises, ['rename', 'rm', 'writeFile'])

provision({
  issuer: ISSUER,
  action: ACTION as 'bind',
  client: { id: 'fleet', secret: SECRET },
  subject: SUBJECT,
  scope: 'devices:read',
  state: fileState(STATE),
  deadlineSeconds: 60,
  ...(RENEW_AFTER !== undefined && { renewAfterSeconds: Number(RENEW_AFTER) }),
  async fetch(...given) {
    step()
    const response = await fetch(...given)
    step()
    return response
  },
}).then(
  ({ clientId, thumbprint }) => process.stdout.write(`${JSON.stringify({ clientId, thumbprint, steps })}\n`),
  (error) => {
    process.stderr.write(`${error}\n`)
    process.exitCode = error instanceof ProvisionError && error.isTransient ? 75 : 1
  },
)
