// Starts a redis-server for a benchmark, on a free port and without persistence.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

export async function startRedis() {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const settings = [
    '--port',
    port,
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
  ]
  const server = spawn('redis-server', settings.map(String), { stdio: 'ignore' })
  server.on('error', () => {
    console.error('redis-server is missing; install it: apt-get update && apt-get install -y redis-server')
    process.exit(1)
  })
  const redis = new Redis(port, { retryStrategy: () => 50, maxRetriesPerRequest: 100 })
  redis.on('error', () => undefined)
  return {
    port,
    redis,
    version: async () => /redis_version:(\S+)/.exec(await redis.info('server'))?.[1],
    usedMemory: async () => Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]),
    stop() {
      redis.disconnect()
      server.kill('SIGKILL')
      rmSync(folder, { recursive: true })
    },
  }
}

async function freePort() {
  const probe = createServer()
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return port
}
