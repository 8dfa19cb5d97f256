import { deadline, type InTime } from '../../base/deadline.js'
import type { RedisOptions, SendCommand } from './redis-options.js'
import type { Script } from './redis-scripts.js'

/** The Redis keys of one script. They are on one hash slot. */
export type Keys = readonly [string, ...string[]]

/** Sends commands to Redis through the client library of the host. */
export interface Connection {
  run(script: Script, keys: Keys, args: readonly string[]): Promise<unknown>
  send: SendCommand
  /** Waits until `minReplicas` replicas have the last write. */
  replicate(key: string): Promise<void>
  /** Runs commands within `timeoutSeconds`, and at most `maxPending` at the same time. */
  readonly inTime: InTime
}

type Settings = Pick<RedisOptions, 'sendCommand' | 'timeoutSeconds' | 'maxPending' | 'minReplicas'>

export function connection(options: Settings): Connection {
  const { sendCommand, timeoutSeconds, maxPending, minReplicas } = options
  // Async, so that an error that the client library throws becomes a rejection.
  const send: SendCommand = async (command, key) => sendCommand(command, key)
  return {
    send,
    async run({ source, sha }, keys, args) {
      const operands = [String(keys.length), ...keys, ...args]
      try {
        return await send(['EVALSHA', sha, ...operands], keys[0])
      } catch (error) {
        if (!isUnknownScript(error)) throw error
        // The script did not run, so send its source. EVAL also makes it known to this node.
        return send(['EVAL', source, ...operands], keys[0])
      }
    },
    async replicate(key) {
      if (minReplicas === 0) return
      // Half of the time limit. The other half is left to give a reservation back.
      const milliseconds = String(Math.ceil(timeoutSeconds * 500))
      const reached = Number(await send(['WAIT', String(minReplicas), milliseconds], key))
      if (!(reached >= minReplicas))
        throw new Error(`Redis: expected ${minReplicas} replicas to have the write, got ${reached}`)
    },
    inTime: deadline({ milliseconds: timeoutSeconds * 1000, who: 'Redis', maxPending }),
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}
