import { RedisStore as RedisLimits } from 'rate-limit-redis'
import type { RateLimitOptions } from '../../../lib/index.js'
import type { SendCommand } from '../../../lib/stores/redis/redis.js'

/** Stores of rate limits in Redis, as users make them. */
export function limitsIn(sendCommand: SendCommand): NonNullable<RateLimitOptions['store']> {
  return (name) =>
    new RedisLimits({
      prefix: `epk:limit:${name}:`,
      sendCommandCluster: ({ key, command }) =>
        sendCommand(command as Parameters<SendCommand>[0], key) as Promise<number>,
    })
}
