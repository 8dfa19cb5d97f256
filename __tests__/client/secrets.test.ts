import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { secretFromEnvironment, secretFromFile } from '../../lib/client/node.js'
import { TYPESCRIPT } from '../support/run-program.js'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'secrets-'))
})

afterAll(() => rmSync(folder, { recursive: true }))

describe('a secret', () => {
  it('comes from a file, when it is needed', async () => {
    const file = join(folder, 'key')
    const read = secretFromFile(file)
    await expect(read()).rejects.toThrow(/ENOENT.*key/)
    writeFileSync(file, 'a-secret\n')
    expect(await read()).toBe('a-secret\n')
    writeFileSync(file, Buffer.alloc(65_537))
    await expect(read()).rejects.toThrow('has more than 65536 bytes')
  })

  it('comes from an environment variable, when it is needed', () => {
    const read = secretFromEnvironment('TEST_SECRET')
    expect(read).toThrow('the environment variable TEST_SECRET is not set')
    process.env['TEST_SECRET'] = 'a-secret'
    expect(read()).toBe('a-secret')
    delete process.env['TEST_SECRET']
  })

  it('comes from the standard input', () => {
    const entry = JSON.stringify(join(__dirname, '../../lib/client/node.ts'))
    const program = `require(${entry}).secretFromStdin()().then((secret) => console.log(JSON.stringify(secret)))`
    const { stdout } = spawnSync(process.execPath, [...TYPESCRIPT, '-e', program], { input: 'a-secret\n' })
    expect(String(stdout)).toBe('"a-secret\\n"\n')
  })
})
