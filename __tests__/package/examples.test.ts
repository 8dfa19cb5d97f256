import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { builtinModules } from 'node:module'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { basename, join } from 'node:path'
import { EXAMPLES } from '../docs/markdown'
import { follow, tryOut } from '../docs/walkthrough'
import { freePort } from '../support/free-port'
import { type RedisServer, startRedis } from '../support/redis/servers'
import { runFolder } from '../support/run-folder'
import { ALL, describeInAll, itInAll, sampled } from '../support/scale'
import {
  consumerProject,
  INSTALL,
  NAME,
  npm,
  packPackage,
  projectIn,
  ROOT,
  readManifest,
  run,
} from './projects'

/** The README and the examples as users follow them: outside this repository, with the package as npm packs it. */

const MINUTE = 60_000
const MOST_LINES = 120

let place: string

beforeAll(async () => {
  const consumer = await consumerProject()
  // What `npm test` runs needs no other packages than a consumer has.
  place = mkdtempSync(join(ALL ? runFolder() : consumer.folder, 'examples-'))
  const tarball = `file:${await packPackage()}`
  for (const name of EXAMPLES) copyExample(name, tarball)
  const { express } = readManifest(join(ROOT, 'package.json')).devDependencies
  const dependencies = { [NAME]: tarball, express }
  projectIn(place).write('quick-start/package.json', JSON.stringify({ name: 'quick-start', dependencies }))
  if (!ALL) return
  // One installation for all saves time, and so does a start with the packages that a consumer has anyway.
  const workspaces = [...EXAMPLES, 'quick-start']
  projectIn(place).write('package.json', JSON.stringify({ private: true, workspaces }))
  cpSync(join(consumer.folder, 'node_modules'), join(place, 'node_modules'), {
    recursive: true,
    verbatimSymlinks: true,
  })
  npm(INSTALL, place)
}, 2 * MINUTE)

function copyExample(name: string, tarball: string): void {
  const filter = (path: string) => basename(path) !== 'node_modules'
  cpSync(join(ROOT, 'examples', name), join(place, name), { recursive: true, filter })
  const manifest = join(place, name, 'package.json')
  const text = readFileSync(manifest, 'utf8')
  writeFileSync(manifest, text.replace('"file:../.."', JSON.stringify(tarball)))
}

/** Runs what `npm start` runs. To start npm takes as long as the example itself. */
async function start(name: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = join(place, name)
  const { start: command } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).scripts
  return run('sh', ['-c', command], folder, { PORT: String(await freePort()), ...env })
}

function sourcesOf(name: string): string[] {
  const folder = join(ROOT, 'examples', name)
  const files = readdirSync(folder).filter((file) => /\.[cm]?js$/.test(file))
  return files.map((file) => readFileSync(join(folder, file), 'utf8'))
}

describe.each(EXAMPLES)('the example %s', (name) => {
  it(`has at most ${MOST_LINES} lines`, () => {
    const lines = sourcesOf(name).join('').trimEnd().split('\n')
    expect(lines.length).toBeLessThanOrEqual(MOST_LINES)
  })

  it('declares every package that it imports, and no other', () => {
    const imports = sourcesOf(name).flatMap((source) => [...source.matchAll(/^import .*'([^.'][^']*)'$/gm)])
    const packages = imports
      .map(([, specifier = '']) => specifier.split('/')[0] ?? '')
      .filter((one) => !one.startsWith('node:') && !builtinModules.includes(one))
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'examples', name, 'package.json'), 'utf8'))
    expect([...new Set(packages)].sort()).toEqual(Object.keys(dependencies).sort())
  })
})

describe('the README', () => {
  it('leads from an empty folder to an enrolled device, with the package as npm packs it', async () => {
    await follow('README.md', projectIn(join(place, 'quick-start')))
  }, 60_000)

  for (const status of [404, 200])
    itInAll(`says in one line that a program has its port, which answers ${status}`, async () => {
      const other = createHttpServer((_, res) => res.writeHead(status).end('<p>Another program</p>')).listen(
        0,
      )
      await once(other, 'listening')
      const { port } = other.address() as AddressInfo
      const quickStart = { heading: 'Quick start', place: projectIn(join(place, 'quick-start')), port }
      const printed = await tryOut('README.md', quickStart)
      other.close()
      expect(printed).toContain(`listen EADDRINUSE: address already in use :::${port}\n`)
      expect(printed).not.toMatch(/^ +at /m)
    })
})

describe('npm start', () => {
  itInAll(
    'enrolls a device, and refuses a copy of its key',
    async () => {
      const env = { PORT: String(await freePort()) }
      const printed = npm(['start', '--silent'], join(place, 'enroll-device'), env)
      expect(printed).toContain('device    is the client device:42, and signs with its own private key\n')
      expect(printed).toContain(
        'device    POST /telemetry: 201 {"from":"device:42","received":{"celsius":21.5}}\n',
      )
      expect(printed).toMatch(/^thief .* 401 invalid_token\. The key has been redeemed/m)
    },
    MINUTE,
  )

  it(
    'gives a CI job a short access token, which a second use of the key revokes',
    async () => {
      const printed = await start('ci-runner')
      const lines = printed.split('\n').filter((line) => /^(job|thief)/.test(line))
      expect(lines).toEqual([
        'job      exchanged the key for an access token for "config:read", good for 120 seconds',
        'job      GET /config: 200 {"for":"runner:1042","region":"eu-1"}',
        expect.stringMatching(/^thief .* 400 invalid_request\. The key has been redeemed/),
        expect.stringMatching(/^job {6}GET \/config: 401 .*revoked/),
      ])
    },
    MINUTE,
  )

  itInAll(
    'shows that an API with sessions works as before, and also takes keys',
    async () => {
      const cells = rowsOf(await start('existing-api'))
      expect(cells).toEqual([
        ['POST /login', '204', '204'],
        ['POST /oauth/token', '404', '200'],
        ['POST /devices', '404', '201'],
        ['POST /devices with the same key', '404', '401'],
        ['GET /devices without the session', '401', '401'],
        ['GET /devices', '200', '200'],
        ['devices in the list', '0', '1'],
        ['secrets in the log', '1', '0'],
      ])
    },
    MINUTE,
  )
})

describe('a port that is in use', () => {
  let port: number
  let server: Server

  beforeAll(async () => {
    server = createServer().listen(0, 'localhost')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  })

  afterAll(() => server.close())

  const LINE = /\nPORT: cannot listen on \d+ \(EADDRINUSE\)\. Set PORT to another port\.\n$/

  it.each(sampled(['ci-runner', 'enroll-device'], () => 'an example'))(
    'is one line at the end of the example %s',
    async (name) => {
      await expect(start(name, { PORT: String(port) })).rejects.toThrow(LINE)
    },
  )

  itInAll('is one line of npm run example', () => {
    const env = { PORT: String(port) }
    expect(() => npm(['run', 'example', 'existing-api', '--silent'], ROOT, env)).toThrow(LINE)
  })
})

describeInAll('npm start in cluster-redis', () => {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await startRedis()
  })

  afterAll(() => redis?.close())

  it(
    'lets two workers redeem one key once, and keep one limit together',
    async () => {
      const cells = rowsOf(await start('cluster-redis', { REDIS_URL: redis.url }))
      const workers = cells.filter(([row]) => row?.startsWith('worker'))
      const totals = [workers.slice(0, 2), workers.slice(2)].map((rows) =>
        [1, 2].map((column) => rows.reduce((sum, row) => sum + Number(row[column]), 0)),
      )
      expect(totals).toEqual([
        [1, 19],
        [9, 11],
      ])
      expect(cells).toContainEqual(['key.redeemed', '1'])
    },
    MINUTE,
  )

  it(
    'prints one line if no Redis answers',
    async () => {
      const starting = start('cluster-redis', { REDIS_URL: 'redis://:secret@127.0.0.1:1' })
      await expect(starting).rejects.toThrow(
        /failed\n\nNo Redis answers at 127\.0\.0\.1:1 \(connect ECONNREFUSED.*\)\. Start redis-server, or set REDIS_URL\.\n$/,
      )
    },
    MINUTE,
  )
})

describeInAll('npm run example', () => {
  it(
    'runs an example with the package of this checkout',
    async () => {
      const env = { PORT: String(await freePort()) }
      expect(npm(['run', 'example', 'ci-runner', '--silent'], ROOT, env)).toMatch(/^job .* 200 /m)
    },
    MINUTE,
  )

  it('names the examples if there is none of that name', () => {
    expect(() => npm(['run', 'example', 'ci', '--silent'], ROOT)).toThrow(
      `usage: npm run example NAME; the names are ${EXAMPLES.join(', ')}`,
    )
  })
})

describe('provisioning.diff', () => {
  it('makes after.js from before.js', () => {
    const read = (file: string) => readFileSync(join(ROOT, 'examples', 'existing-api', file), 'utf8')
    expect(patched(read('before.js'), read('provisioning.diff'))).toBe(read('after.js'))
  })
})

/** The rows of the tables that console.table prints. */
function rowsOf(printed: string): string[][] {
  const lines = printed.split('\n').filter((line) => line.startsWith('│') && !line.includes('(index)'))
  return lines.map((line) =>
    line
      .split('│')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** Applies a unified diff. Throws if a line of it is not in the text. */
function patched(text: string, diff: string): string {
  const rest = text.split('\n')
  const result: string[] = []
  let taken = 0
  const take = () => {
    taken += 1
    return rest.shift() ?? ''
  }
  for (const line of diff.trimEnd().split('\n').slice(2)) {
    const [, first] = /^@@ -(\d+)/.exec(line) ?? []
    if (first !== undefined) while (taken < Number(first) - 1) result.push(take())
    else if (line.startsWith('+')) result.push(line.slice(1))
    else {
      const old = take()
      if (old !== line.slice(1)) throw new Error(`expected "${line.slice(1)}", got "${old}"`)
      if (line.startsWith(' ')) result.push(old)
    }
  }
  return [...result, ...rest].join('\n')
}
