import { spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import type { RedisServer } from './servers.js'

/** All commands that Redis gets during `act`, as MONITOR shows them: one character for each byte. */
export async function watching(redis: RedisServer, act: () => Promise<void>): Promise<string> {
  const monitor = spawn('redis-cli', ['-p', String(redis.port), 'MONITOR'])
  let seen = ''
  monitor.stdout.on('data', (data) => {
    seen += data
  })
  const sees = async (text: string) => {
    for (const deadline = Date.now() + 10_000; !seen.includes(text); await pause(20))
      if (Date.now() > deadline) throw new Error(`MONITOR did not show ${text}`)
  }
  try {
    await sees('OK')
    await act()
    await redis.cli('ECHO', 'the end')
    await sees('the end')
  } finally {
    monitor.kill()
  }
  return unescaped(seen)
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' }

/** MONITOR escapes quotes and all characters outside visible ASCII. A secret must not hide behind escapes. */
function unescaped(shown: string): string {
  return shown.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex?: string, one = '') =>
    hex === undefined ? (ESCAPES[one] ?? one) : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

/** All names and values in Redis. */
export async function everything({ cli }: RedisServer): Promise<string> {
  const names = (await cli('KEYS', '*')).split('\n')
  const values = names.map(async (name) => {
    const type = await cli('TYPE', name)
    if (type === 'hash') return cli('HGETALL', name)
    return type === 'zset' ? cli('ZRANGE', name, '0', '-1', 'WITHSCORES') : cli('GET', name)
  })
  return Buffer.from([...names, ...(await Promise.all(values))].join('\n')).toString('latin1')
}
