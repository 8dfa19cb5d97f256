import { setTimeout as pause } from 'node:timers/promises'
import type { Client } from '../../lib/ports/client.js'
import { keyvClientRegistry } from '../../lib/stores/keyv/keyv.js'
import { type Child, launch } from '../demo/child.js'
import { sqliteDatabase } from '../support/keyv/databases'
import { startRedis } from '../support/redis/servers'
import { TYPESCRIPT } from '../support/run-program'

jest.setTimeout(120_000)

const TIMES = 12

function signaturesOf(child: Child): string[] {
  return child.stdout().trim().split('\n')
}

it('loses no change that a process was told of, of those of several processes, one of them killed', async () => {
  const redis = await startRedis()
  const database = sqliteDatabase()
  const start = (name: string, times: number) => {
    const script = [...TYPESCRIPT, '__tests__/support/keyv/writer.ts']
    return launch(process.execPath, [...script, database.path, redis.url, name, String(times)], {})
  }
  try {
    const writers = ['a', 'b', 'c'].map((name) => start(name, TIMES))
    const victim = start('victim', 1_000_000)
    for (const end = Date.now() + 60_000; signaturesOf(victim).length < 3; await pause(10))
      if (Date.now() > end) throw new Error(`the victim wrote nothing: ${victim.stderr()}`)
    victim.kill('SIGKILL')
    await victim.exited
    for (const writer of writers) expect([await writer.exited, writer.stderr()]).toEqual([0, ''])
    const kept: Client | undefined = await keyvClientRegistry(await database.connect(), {
      lock: 'process',
    }).find('lamp')
    const by = kept?.metadata?.by as string[]
    expect(kept?.revision).toBe(by.length)
    expect(new Set(by).size).toBe(by.length)
    for (const writer of writers) expect(signaturesOf(writer)).toHaveLength(TIMES)
    for (const one of [...writers, victim].flatMap(signaturesOf)) expect(by).toContain(one)
  } finally {
    await database.close()
    await redis.close()
  }
})
