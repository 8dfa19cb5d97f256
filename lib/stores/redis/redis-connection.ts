import { deadline, type InTime } from '../../base/deadline.js'
import type { RedisOptions, SendCommand } from './redis-options.js'
import type { Script } from './redis-scripts.js'

/** Speaks to Redis through the host's client, and waits for no answer longer than it was told to. */
export interface Connection {
  /** Runs a script on keys of one hash slot. */
  run(script: Script, keys: readonly [string, ...string[]], args: readonly string[]): Promise<unknown>
  send: SendCommand
  /** Waits until enough replicas have what was written last. Does nothing when none has to. */
  replicate(key: string): Promise<void>
  /** Runs commands within `timeoutSeconds`, and at most `maxPending` at the same time. */
  readonly inTime: InTime
}

type Settings = Pick<RedisOptions, 'sendCommand' | 'timeoutSeconds' | 'maxPending' | 'minReplicas'>

export function connection(options: Settings): Connection {
  const { sendCommand, timeoutSeconds, maxPending, minReplicas } = options
  // Async, so that a client that throws rejects.
  const send: SendCommand = async (command, key) => sendCommand(command, key)
  return {
    send,
    async run({ source, sha }, keys, args) {
      const operands = [String(keys.length), ...keys, ...args]
      try {
        return await send(['EVALSHA', sha, ...operands], keys[0])
      } catch (error) {
        if (!isUnknownScript(error)) throw error
        // It did nothing, so it can be sent again; EVAL makes it known to the node that did not know it.
        return send(['EVAL', source, ...operands], keys[0])
      }
    },
    async replicate(key) {
      if (minReplicas === 0) return
      // Half the time, so that a refusal can be taken back within the rest.
      const milliseconds = String(Math.ceil(timeoutSeconds * 500))
      const reached = Number(await send(['WAIT', String(minReplicas), milliseconds], key))
      if (!(reached >= minReplicas))
        throw new Error(`Redis: expected ${minReplicas} replicas to have it, got ${reached}`)
    },
    inTime: deadline({ milliseconds: timeoutSeconds * 1000, who: 'Redis', maxPending }),
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}
