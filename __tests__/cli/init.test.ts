import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run, runHere } from './command-line.js'

let folder: string
const path = (name: string) => join(folder, name)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'init-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

/** All files, with their texts. `__tests__/package/init.test.ts` installs and runs them. */
function textsIn(root: string): string {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
  return files.map((file) => readFileSync(join(file.parentPath, file.name), 'utf8')).join('\n')
}

describe('init', () => {
  it.each([
    ['ts', 'memory'],
    ['js', 'redis'],
  ])('writes a project in %s with the store %s, without marks of its templates', async (language, store) => {
    const { ending, stdout, stderr } = await runHere([
      'init',
      path('My App'),
      '--language',
      language,
      '--store',
      store,
    ])
    expect([ending, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toEqual({
      folder: path('My App'),
      language,
      store,
      files: language === 'ts' ? 12 : 11,
      next: `Follow ${path('My App/README.md')}`,
    })
    const texts = textsIn(path('My App'))
    expect(texts).not.toMatch(/\/\/(redis|memory|ts|js)\b|\{\{|\/\*:/)
    expect(texts.includes('redisStore({')).toBe(store === 'redis')
    expect(JSON.parse(readFileSync(path('My App/package.json'), 'utf8')).name).toBe('my-app')
  })

  it('says on a terminal how to start the app', async () => {
    const { stdout } = await runHere(['init', path('app')], { hasResultOnTerminal: true })
    expect(stdout).toBe(
      `Wrote a small app into ${path('app')}. Start it in this folder with npm install and npm start.\n` +
        `${path('app/README.md')} has the next steps.\n`,
    )
  })

  it('accepts an empty folder', async () => {
    expect((await runHere(['init', folder])).ending).toBe(0)
    expect(readdirSync(folder)).toContain('package.json')
  })

  it('refuses a folder that is not empty, and changes nothing', async () => {
    writeFileSync(path('.hidden'), 'mine')
    const { ending, stdout, stderr } = await runHere(['init', folder])
    const message = `${folder} is not empty, and this command overwrites nothing; name another folder`
    expect([ending, stdout, stderr]).toEqual([2, '', `error: ${message}\n`])
    expect(readdirSync(folder)).toEqual(['.hidden'])
  })

  it('refuses a file in place of a folder', async () => {
    writeFileSync(path('file'), '')
    expect(await runHere(['init', path('file')])).toMatchObject({
      ending: 2,
      stderr: `error: ${path('file')} is not a folder that can be read (ENOTDIR)\n`,
    })
  })

  it('leaves nothing behind if a file cannot be written', async () => {
    const { code, stderr } = await run(['init', path('app')], { limit: 'ulimit -f 0' })
    expect([code, existsSync(path('app'))]).toEqual([75, false])
    expect(JSON.parse(stderr).message).toMatch(/^cannot write .*app\/package\.json \(EFBIG\)\.$/)
  })

  it('lets one of several calls for the same folder write the whole app', async () => {
    for (let round = 0; round < 5; round += 1) {
      const app = path(`app-${round}`)
      const ended = await Promise.all([1, 2, 3].map(() => runHere(['init', app])))
      expect(ended.map(({ ending }) => ending).sort()).toEqual([0, 2, 2])
      const files = readdirSync(app, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
      expect(files).toHaveLength(12)
    }
  })

  it.each([
    ['no folder', [], 'expected FOLDER, got nothing; see init --help'],
    ['another language', ['a', '--language', 'coffee'], '--language: expected ts or js, got another text'],
    ['another store', ['a', '--store', 'disk'], '--store: expected memory or redis, got another text'],
  ])('refuses %s in one line', async (_, arguments_, message) => {
    expect(await runHere(['init', ...arguments_])).toEqual({
      ending: 2,
      stdout: '',
      stderr: `error: ${message}\n`,
    })
  })
})
