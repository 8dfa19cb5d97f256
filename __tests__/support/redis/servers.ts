import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '../free-port'

const INSTALL = 'redis-server is needed for this test: apt-get update && apt-get install -y redis-server'
const run = promisify(execFile)

/** A real redis-server for one test, on a free port, without files on disk. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  /** The answer to a command, as redis-cli prints it: each string and number on a line. */
  cli(...command: string[]): Promise<string>
  signal(signal: NodeJS.Signals): void
  close(): Promise<void>
}

/** @param samePort the port of a closed server, to start another in its place */
export async function startRedis(settings: readonly string[] = [], samePort?: number): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'redis-'))
  const port = samePort ?? (await freePort())
  const own = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
  ]
  const process_ = spawn('redis-server', [...own, ...settings], { stdio: 'ignore' })
  const failure = new Promise<never>((_, reject) =>
    process_.once('error', (error) => reject(new Error(`${INSTALL} (${error.message})`))),
  )
  failure.catch(() => undefined)
  await Promise.race([answersPing(port), failure])
  const url = `redis://127.0.0.1:${port}`
  const cli = async (...command: string[]) => printed(await answerOf(url, command))
  return {
    port,
    url,
    cli,
    signal: (signal) => process_.kill(signal),
    async close() {
      await ended(process_)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A real Redis Cluster of primaries, each with `replicas` replicas. */
export interface RedisCluster {
  readonly servers: readonly RedisServer[]
  close(): Promise<void>
}

export async function startCluster(primaries = 3): Promise<RedisCluster> {
  const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000']
  const servers = await Promise.all(Array.from({ length: primaries }, () => startRedis(settings)))
  const addresses = servers.map(({ port }) => `127.0.0.1:${port}`)
  await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'])
  for (const { cli } of servers)
    await until('the cluster is up', async () => (await cli('CLUSTER', 'INFO')).includes('cluster_state:ok'))
  return { servers, close: async () => void (await Promise.all(servers.map(({ close }) => close()))) }
}

/** The answer to one command on a connection of its own. To start redis-cli takes ten times as long. */
async function answerOf(url: string, command: readonly string[]): Promise<unknown> {
  // Most tests that start a Redis need no command, so they do not load this package.
  const { createClient } = await import('redis')
  const client = createClient({ url, RESP: 2, socket: { reconnectStrategy: false } })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await client.sendCommand(command)
  } finally {
    client.destroy()
  }
}

function printed(answer: unknown): string {
  return [answer].flat(Number.POSITIVE_INFINITY).join('\n').trimEnd()
}

async function answersPing(port: number): Promise<void> {
  await until(`redis-server answers at port ${port}`, () => {
    return new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
      socket.on('data', (data) => socket.end(() => resolve(String(data).startsWith('+PONG'))))
      socket.on('error', () => resolve(false))
    })
  })
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await holds().catch(() => false)); await pause(20))
    if (Date.now() > deadline) throw new Error(`it never happened: ${what}`)
}

async function ended(process_: ChildProcess): Promise<void> {
  if (process_.exitCode !== null || process_.signalCode !== null) return
  const exit = new Promise((resolve) => process_.once('exit', resolve))
  process_.kill('SIGKILL')
  await exit
}
