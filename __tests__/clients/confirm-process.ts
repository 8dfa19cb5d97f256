/**
 * A process that uses a binding, or undoes it. With KILL_AT it kills itself at that step: before and after each call to
 * the database of the clients, and to the store. It prints whether the use succeeded, and the number of its steps.
 */
import { Keyv } from 'keyv'
import { createClient } from 'redis'
import { KeyvSqliteFile } from '../../demo-app/sqlite'
import { findClient } from '../../lib/clients/registry.js'
import { keyvClientRegistry } from '../../lib/stores/keyv/keyv.js'
import { redisStore } from '../../lib/stores/redis/redis.js'
import { type Device, useDevice } from '../support/bound-devices.js'
import { deployed, reasonOf } from '../support/deployed.js'

const { FILE = '', REDIS = '', DEVICE = '{}', ACT = '', AT = '0', KILL_AT = '0' } = process.env
let steps = 0

function step(): void {
  steps += 1
  if (steps === Number(KILL_AT)) process.kill(process.pid, 'SIGKILL')
}

/** Lets the beginning and the end of a call be steps. */
function counted<A extends unknown[], R>(call: (...given: A) => Promise<R>): (...given: A) => Promise<R> {
  return async (...given) => {
    step()
    const answer = await call(...given)
    step()
    return answer
  }
}

async function main(): Promise<void> {
  const now = () => Number(AT) * 1000
  const redis = await createClient({ url: REDIS }).connect()
  const sendCommand = (command: string[]) => redis.sendCommand(command)
  const kept = redisStore({ sendCommand, now, accept: ['unchecked'] })
  const store = { ...kept, find: counted(kept.find), useOnce: counted(kept.useOnce) }
  // The lease of a killed process must end in real time.
  const { useOnce } = redisStore({ sendCommand, accept: ['unchecked'] })
  const lock = { useOnce: counted(useOnce) }
  const keyv = new Keyv({ store: new KeyvSqliteFile(FILE), throwOnErrors: true })
  for (const name of ['get', 'set'] as const) Reflect.set(keyv, name, counted(keyv[name].bind(keyv) as never))
  const clients = keyvClientRegistry(keyv, { lock, timeoutSeconds: 0.3 })
  const { deployment } = deployed({ store, clients, policy: {}, now })
  const device: Device = JSON.parse(DEVICE)
  const acts: Readonly<Record<string, () => Promise<unknown>>> = {
    use: () => useDevice(deployment, device),
    undo: () => findClient(deployment, device.clientId),
  }
  const reason = await reasonOf(async () => acts[ACT]?.())
  process.stdout.write(JSON.stringify({ isDone: reason === undefined, steps }))
  process.exit(0)
}

main().catch((error) => {
  process.stderr.write(`${error}\n`)
  process.exit(1)
})
