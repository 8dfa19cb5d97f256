import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { inShell, untilItSucceeds } from '../docs/shell'
import { freePort } from '../support/free-port'
import { type RedisServer, startRedis } from '../support/redis/servers'
import { runFolder } from '../support/run-folder'
import { INSTALL, install, npm, type Project, packPackage, run } from './projects'

const MINUTE = 60_000

/** Only `npm run test:all` runs this file, since each project installs its own packages. */
const PROJECTS = [
  ['js', 'memory'],
  ['ts', 'memory'],
  ['js', 'redis'],
  ['ts', 'redis'],
] as const

let tarball: string
let tools: Project
let redis: RedisServer

beforeAll(async () => {
  tarball = await packPackage()
  tools = install(join(runFolder(), 'tools'), tarball, 'express@5')
  redis = await startRedis()
}, 3 * MINUTE)

afterAll(() => redis?.close())

const command = (...arguments_: string[]) =>
  run('npx', ['--no', '--', 'express-provisioning-keys', ...arguments_], tools.folder)

describe.each(PROJECTS)('a new project in %s with the store %s', (language, store) => {
  const folder = () => join(tools.folder, '..', `my-${language}-${store}`)
  const env = () => ({ REDIS_URL: redis.url })

  beforeAll(() => {
    const printed = command('init', folder(), '--language', language, '--store', store)
    expect(JSON.parse(printed)).toMatchObject({ folder: folder(), language, store })
    npm([...INSTALL, tarball], folder())
  }, 3 * MINUTE)

  it(
    'passes its own tests',
    () => {
      const printed = npm(['test', '--silent'], folder(), env())
      expect(printed).toMatch(/^# pass 3$/m)
      expect(printed).toMatch(/^# fail 0$/m)
      expect(printed).not.toContain('key.issued')
      expect(npm(['test', '--silent'], folder(), { ...env(), EVENTS: 'on' })).toContain('key.issued')
    },
    MINUTE,
  )

  it(
    'keeps its own policy, and says in warnings what production needs',
    () => {
      const printed = npm(['run', 'review', '--silent', '--', '--json'], folder())
      const { checks, passed } = JSON.parse(printed)
      const warned = checks.filter(({ outcome }: { outcome: string }) => outcome === 'warning')
      const ofStore = store === 'redis' ? 'shared-rate-limits' : 'shared-store'
      const ids = warned.map(({ id }: { id: string }) => id).sort()
      expect([passed, ids]).toEqual([true, ['https-only', 'sender-constraint', ofStore].sort()])
    },
    MINUTE,
  )

  it(
    'starts with npm start, and does what its README says',
    async () => {
      const port = await freePort()
      const npmStart = spawn('npm', ['start', '--silent'], {
        cwd: folder(),
        env: { ...process.env, ...env(), PORT: String(port) },
        stdio: 'ignore',
        detached: true,
      })
      try {
        const readme = readFileSync(join(folder(), 'README.md'), 'utf8')
        const [, commands = ''] = /```sh\n(key=[\s\S]*?)```/.exec(readme) ?? []
        const here = commands.replaceAll(':3000', `:${port}`)
        const waiting = untilItSucceeds(`curl -s -o /dev/null http://localhost:${port}/`)
        const { stdout } = await inShell(folder(), `${waiting}\n${here}`)
        expect(stdout).toBe('{"device":"device:1"}')
      } finally {
        process.kill(-(npmStart.pid ?? 0), 'SIGKILL')
      }
    },
    MINUTE,
  )

  it(
    'names a port that is in use in one line',
    async () => {
      const server = createServer().listen(0, 'localhost')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const starting = () => npm(['start', '--silent'], folder(), { ...env(), PORT: String(port) })
      expect(starting).toThrow(
        /PORT: cannot listen on \d+ \(.*EADDRINUSE.*\)\. Set PORT to another port\.\n$/,
      )
      server.close()
    },
    MINUTE,
  )

  it('keeps its secrets to its owner, and away from Git', () => {
    for (const name of readdirSync(join(folder(), 'secrets')))
      expect(statSync(join(folder(), 'secrets', name)).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(folder(), '.gitignore'), 'utf8')).toContain('\nsecrets/\n')
    const files = ['src', 'test'].flatMap((part) =>
      readdirSync(join(folder(), part)).map((name) => join(part, name)),
    )
    const secret = readFileSync(join(folder(), 'secrets/client-secret'), 'utf8').trim()
    for (const file of files) expect(readFileSync(join(folder(), file), 'utf8')).not.toContain(secret)
  })

  if (language === 'ts')
    it(
      'has valid types',
      () => {
        expect(npm(['run', 'types', '--silent'], folder())).toBe('')
      },
      MINUTE,
    )
})
