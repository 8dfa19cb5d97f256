import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, type RedisServer, startRedis } from '../../__tests__/support/redis/servers'
import { until } from '../clock'
import type { Resources } from '../resources'

const run = promisify(execFile)

const NAME = 'provisioning'
/** Who replicates: somebody who can be locked out. Whatever else cuts two servers apart, sentinels mend. */
const REPLICATOR = 'replicator'
const COUNT = 3
const QUORUM = 2
/** How long a primary must be silent until it counts as down. */
const DOWN_AFTER_MILLISECONDS = 1_000

/** A primary and its replica, watched over by sentinels. */
export interface Watched {
  readonly name: string
  /** Where the sentinels are. */
  readonly ports: readonly number[]
  readonly primary: RedisServer
  readonly replica: RedisServer
  /** Cuts the replica off from its primary, though both are there. */
  cut(): Promise<void>
  /** Whether the replica is the primary now. */
  hasFailedOver(): Promise<boolean>
  /** Starts a server in the place of the primary that was killed: a replica of the new one. */
  bringBack(): Promise<void>
}

export async function startWatched({ keep }: Resources): Promise<Watched> {
  const settings = ['--repl-diskless-sync-delay', '0', '--repl-timeout', '60']
  const start = async (more: readonly string[], port?: number) => {
    const server = await startRedis([...settings, ...more], port)
    return keep({ ...server, drop: () => server.signal('SIGKILL') })
  }
  const primary = await start([])
  await primary.cli('ACL', 'SETUSER', REPLICATOR, 'on', '>secret', '+psync', '+replconf', '+ping')
  const replica = await start([
    ...['--replicaof', `127.0.0.1 ${primary.port}`],
    ...['--masteruser', REPLICATOR, '--masterauth', 'secret'],
  ])
  await until('the replica is in step', async () =>
    /slave0:.*state=online/.test(await primary.cli('INFO', 'replication')),
  )
  const ports = await Promise.all(Array.from({ length: COUNT }, () => freePort()))
  for (const port of ports) keep(await startSentinel(port, primary.port))
  const ask = (port: number, ...command: string[]) =>
    run('redis-cli', ['-p', String(port), 'SENTINEL', ...command]).then(
      ({ stdout }) => stdout,
      () => '',
    )
  const all = async (wanted: RegExp, ...command: string[]) =>
    (await Promise.all(ports.map((port) => ask(port, ...command, NAME)))).every((told) => wanted.test(told))
  await until('the sentinels know of each other', () => all(/\nnum-other-sentinels\n2\n/, 'MASTER'))
  await until('the sentinels know the replica', () =>
    all(new RegExp(`\nport\n${replica.port}\n`), 'REPLICAS'),
  )
  return {
    name: NAME,
    ports,
    primary,
    replica,
    async cut() {
      await primary.cli('ACL', 'SETUSER', REPLICATOR, 'off')
      await primary.cli('CLIENT', 'KILL', 'TYPE', 'replica')
    },
    hasFailedOver: () => all(new RegExp(`\n${replica.port}\n`), 'GET-MASTER-ADDR-BY-NAME'),
    async bringBack() {
      await start(['--replicaof', `127.0.0.1 ${replica.port}`], primary.port)
    },
  }
}

async function startSentinel(port: number, primary: number) {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-'))
  const configuration = join(folder, 'sentinel.conf')
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor ${NAME} 127.0.0.1 ${primary} ${QUORUM}`,
    `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MILLISECONDS}`,
    `sentinel failover-timeout ${NAME} 6000`,
  ]
  writeFileSync(configuration, `${lines.join('\n')}\n`)
  const sentinel = spawn('redis-server', [configuration, '--sentinel'], { stdio: 'ignore' })
  sentinel.on('error', () => undefined)
  const drop = () => void sentinel.kill('SIGKILL')
  return {
    drop,
    async close() {
      await ended(sentinel, drop)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function ended(process: ChildProcess, end: () => void): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return
  const exit = new Promise((resolve) => process.once('exit', resolve))
  end()
  await exit
}
