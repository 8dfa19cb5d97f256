import type { SendCommand } from 'express-provisioning-keys/redis'
import { Redis } from 'ioredis'
import { createClient } from 'redis'

/** One Redis server, or the sentinels that know the primary. */
export type RedisAddress =
  | { readonly url: string; readonly library: 'node-redis' | 'ioredis' }
  | { readonly sentinels: readonly number[]; readonly primary: string }

/** Connects as docs/operations/redis.md describes, with the default settings of the libraries. */
export async function connectRedis(address: RedisAddress): Promise<SendCommand> {
  if ('url' in address && address.library === 'node-redis') {
    const client = createClient({ url: address.url })
    client.on('error', () => undefined)
    await client.connect()
    return (command) => client.sendCommand(command)
  }
  const client =
    'url' in address
      ? new Redis(address.url)
      : new Redis({
          sentinels: address.sentinels.map((port) => ({ host: '127.0.0.1', port })),
          name: address.primary,
        })
  client.on('error', () => undefined)
  return ([name, ...args]) => client.call(name, ...args)
}
