import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../../__tests__/support/free-port'
import { type RedisServer, startRedis } from '../../__tests__/support/redis/servers'
import { until } from '../clock'
import type { Resources } from '../resources'

const execute = promisify(execFile)

const NAME = 'provisioning'
/** The replica has its own user, which can be disabled. Sentinels would repair any other interruption. */
const REPLICA_USER = 'replicator'
const COUNT = 3
const QUORUM = 2
/** How long a primary must be silent before sentinels consider it down. */
const DOWN_AFTER_MILLISECONDS = 1_000

/** A primary and its replica, monitored by sentinels. */
export interface ReplicatedRedis {
  readonly name: string
  /** The ports of the sentinels. */
  readonly ports: readonly number[]
  readonly primary: RedisServer
  readonly replica: RedisServer
  /** Interrupts the replication while both servers run. */
  cutReplication(): Promise<void>
  /** Whether the replica has become the primary. */
  hasFailedOver(): Promise<boolean>
  /** Replaces the killed primary by a replica of the new one. */
  bringBack(): Promise<void>
}

export async function startReplicatedRedis({ keep }: Resources): Promise<ReplicatedRedis> {
  const start = async (settings: readonly string[], port?: number) => {
    const common = ['--repl-diskless-sync-delay', '0', '--repl-timeout', '60']
    const server = await startRedis([...common, ...settings], port)
    return keep({ ...server, drop: () => server.signal('SIGKILL') })
  }
  const primary = await start([])
  const replica = await startReplica(primary, start)
  const ports = await Promise.all(Array.from({ length: COUNT }, () => freePort()))
  for (const port of ports) keep(await startSentinel(port, primary.port))
  await until('the sentinels know each other', () => allAnswer(ports, /\nnum-other-sentinels\n2\n/, 'MASTER'))
  await until('the sentinels know the replica', () =>
    allAnswer(ports, new RegExp(`\nport\n${replica.port}\n`), 'REPLICAS'),
  )
  return {
    ...{ name: NAME, ports, primary, replica },
    async cutReplication() {
      await primary.cli('ACL', 'SETUSER', REPLICA_USER, 'off')
      await primary.cli('CLIENT', 'KILL', 'TYPE', 'replica')
    },
    hasFailedOver: () => allAnswer(ports, new RegExp(`\n${replica.port}\n`), 'GET-MASTER-ADDR-BY-NAME'),
    async bringBack() {
      await start(['--replicaof', `127.0.0.1 ${replica.port}`], primary.port)
    },
  }
}

async function startReplica(
  primary: RedisServer,
  start: (settings: readonly string[]) => Promise<RedisServer>,
): Promise<RedisServer> {
  const rights = ['on', '>secret', '+psync', '+replconf', '+ping']
  await primary.cli('ACL', 'SETUSER', REPLICA_USER, ...rights)
  const replica = await start([
    ...['--replicaof', `127.0.0.1 ${primary.port}`],
    ...['--masteruser', REPLICA_USER, '--masterauth', 'secret'],
  ])
  await until('the replica is synchronized', async () =>
    /slave0:.*state=online/.test(await primary.cli('INFO', 'replication')),
  )
  return replica
}

/** Whether all sentinels give this answer to a command about the primary. */
async function allAnswer(ports: readonly number[], expected: RegExp, command: string): Promise<boolean> {
  const answers = await Promise.all(
    ports.map((port) =>
      execute('redis-cli', ['-p', String(port), 'SENTINEL', command, NAME]).catch(() => undefined),
    ),
  )
  return answers.every((answer) => answer !== undefined && expected.test(answer.stdout))
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
