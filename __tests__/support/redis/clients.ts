import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster } from 'redis'
import type { SendCommand } from '../../../lib/stores/redis/redis.js'
import type { RedisServer } from './servers'

/** A client library, connected as users of `redisStore()` do it. */
export interface ConnectedClient {
  readonly sendCommand: SendCommand
  close(): Promise<void>
}

/** In milliseconds, instead of five seconds: a busy machine needs time for thousands of concurrent commands. */
const PATIENT = { timeout: 60_000 }

/** Each documented client library for one server. */
export const CLIENTS = {
  async 'node-redis'({ url }: RedisServer): Promise<ConnectedClient> {
    const client = createClient({ url, commandOptions: PATIENT })
    client.on('error', () => undefined)
    await client.connect()
    return { sendCommand: (command) => client.sendCommand(command), close: async () => client.destroy() }
  },
  async ioredis({ url }: RedisServer): Promise<ConnectedClient> {
    const client = new Redis(url)
    client.on('error', () => undefined)
    return {
      sendCommand: ([name, ...args]) => client.call(name, ...args),
      close: async () => client.disconnect(),
    }
  },
}

/** Each documented cluster client. */
export const CLUSTER_CLIENTS = {
  async 'node-redis cluster'(servers: readonly RedisServer[]): Promise<ConnectedClient> {
    const rootNodes = servers.map(({ url }) => ({ url }))
    const cluster = createCluster({ rootNodes, commandOptions: PATIENT })
    cluster.on('error', () => undefined)
    await cluster.connect()
    return {
      sendCommand: (command, key) => cluster.sendCommand(key, false, command),
      close: async () => cluster.destroy(),
    }
  },
  async 'ioredis cluster'(servers: readonly RedisServer[]): Promise<ConnectedClient> {
    const cluster = new Cluster(servers.map(({ port }) => ({ host: '127.0.0.1', port })))
    cluster.on('error', () => undefined)
    return {
      sendCommand: async ([name, ...args], key = '') => {
        if (name !== 'WAIT') return cluster.call(name, ...args)
        // WAIT has no key. In one pipeline with a command that has one, it reaches the node of this key.
        const replies = await cluster
          .pipeline([
            ['exists', key],
            ['wait', ...args],
          ])
          .exec()
        return replies?.[1]?.[1]
      },
      close: async () => cluster.disconnect(),
    }
  },
}
