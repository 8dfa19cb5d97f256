import { deadline, type InTime } from '../../base/deadline.js'
import type { RedisOptions, SendCommand } from './redis-options.js'
import type { Script } from './redis-scripts.js'

/** The Redis keys of one script. They are on one hash slot. */
export type Keys = readonly [string, ...string[]]

/** Sends commands to Redis through the client library of the host. */
export interface Connection {
  /** Runs a script, and reads its reply. */
  run<T>(
    script: Script,
    keys: Keys,
    args: readonly string[],
    read: (reply: unknown) => T | Promise<T>,
  ): Promise<T>
  send: SendCommand
  readonly minReplicas: number
  /** Waits until `minReplicas` replicas have the last write. */
  replicate(key: string): Promise<void>
  /** Runs commands within `timeoutSeconds`, and at most `maxPending` at the same time. */
  readonly inTime: InTime
}

type Settings = Pick<RedisOptions, 'sendCommand' | 'timeoutSeconds' | 'maxPending' | 'minReplicas'>

/** Learns from the replies to scripts. */
export interface ReplyObserver {
  /** Is called once, after the first reply. */
  firstAnswer(): void
  /** The node of a key does not know a script. */
  unknownScript(key: string): void
}

export function connection(options: Settings, observer: ReplyObserver): Connection {
  const { sendCommand, timeoutSeconds, maxPending, minReplicas } = options
  const send: SendCommand = (command, key) => {
    // An error that the client library throws becomes a rejection.
    try {
      return Promise.resolve(sendCommand(command, key))
    } catch (error) {
      return Promise.reject(error)
    }
  }
  let isAnswered = false
  return {
    minReplicas,
    send,
    run({ source, sha }, keys, args, read) {
      const answered = (reply: unknown) => {
        if (!isAnswered) observer.firstAnswer()
        isAnswered = true
        return read(reply)
      }
      const failed = (error: unknown) => {
        if (!isUnknownScript(error)) throw error
        observer.unknownScript(keys[0])
        // The script did not run, so send its source. EVAL also makes it known to this node.
        return send(['EVAL', source, String(keys.length), ...keys, ...args], keys[0]).then(answered)
      }
      return send(['EVALSHA', sha, String(keys.length), ...keys, ...args], keys[0]).then(answered, failed)
    },
    async replicate(key) {
      // Half of the time limit. The other half is left to give a reservation back.
      const milliseconds = String(Math.ceil(timeoutSeconds * 500))
      const reached = Number(await send(['WAIT', String(minReplicas), milliseconds], key))
      if (!(reached >= minReplicas))
        throw new Error(`Redis: minReplicas is ${minReplicas}, but ${reached} replicas have confirmed`)
    },
    inTime: deadline({ milliseconds: timeoutSeconds * 1000, who: 'Redis', maxPending }),
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}
