import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import promises from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withFileLock } from '../../lib/client/node/file-lock.js'
import { fileState } from '../../lib/client/node.js'

let folder: string
let file: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'state-'))
  file = join(folder, 'identity.json')
})

afterEach(() => rmSync(folder, { recursive: true }))

const DEAD_PROCESS = 2 ** 22 + 1

it.each([undefined, '', 5])('refuses %s as a path', (path) => {
  expect(() => fileState(path as string)).toThrow(/^fileState: expected the path of a file, got /)
})

/** Leaves the lock of a process with another id. */
async function leaveLock(pid: number): Promise<void> {
  const name = await withFileLock(`${file}.lock`, async () => readFileSync(`${file}.lock`, 'utf8'))
  writeFileSync(`${file}.lock`, name.replace(` ${process.pid} `, ` ${pid} `))
}

/** Saves a text after a while, because another process keeps the lock. */
async function expectToWait(): Promise<void> {
  const saving = Promise.resolve(fileState(file).save('one', undefined))
  const pause = new Promise((resolve) => setTimeout(resolve, 300, 'waits'))
  expect(await Promise.race([saving, pause])).toBe('waits')
  utimesSync(`${file}.lock`, new Date(), new Date(Date.now() - 11_000))
  expect(await saving).toBe(true)
}

describe('fileState()', () => {
  it('keeps the owner of the file, also if root saves the next text', async () => {
    const [own = 0, group = 0] = [process.getuid?.(), process.getgid?.()]
    const [uid, gid] = own === 0 ? [65_534, 65_534] : [own, group]
    const state = fileState(file)
    await state.save('one', undefined)
    chownSync(file, uid, gid)
    expect(await state.save('two', 'one')).toBe(true)
    const { uid: owner, gid: ownerGroup, mode } = statSync(file)
    expect([owner, ownerGroup, mode & 0o777]).toEqual([uid, gid, 0o600])
  })

  it('keeps the text in a file that only its owner can use', async () => {
    const state = fileState(file)
    expect(await state.load()).toBeUndefined()
    expect(await state.save('one', undefined)).toBe(true)
    expect(await state.save('two', 'one')).toBe(true)
    expect([await state.load(), statSync(file).mode & 0o777]).toEqual(['two', 0o600])
    await state.clear()
    expect([await state.load(), existsSync(file)]).toEqual([undefined, false])
    await state.clear()
  })

  it('keeps a link, and saves into the file that it leads to', async () => {
    const target = join(folder, 'volume.json')
    symlinkSync('volume.json', file)
    const [ofLink, ofTarget] = [fileState(file), fileState(target)]
    expect(await ofLink.load()).toBeUndefined()
    expect(await ofLink.save('one', undefined)).toBe(true)
    expect(await ofTarget.save('two', 'one')).toBe(true)
    expect(await ofLink.save('three', 'two')).toBe(true)
    expect([readFileSync(target, 'utf8'), lstatSync(file).isSymbolicLink()]).toEqual(['three', true])
    await ofLink.clear()
    expect([await ofTarget.load(), readdirSync(folder)]).toEqual([undefined, ['identity.json']])
  })

  it('saves nothing if another process has saved something since', async () => {
    const [one, other] = [fileState(file), fileState(file)]
    const saves = await Promise.all([one.save('one', undefined), other.save('other', undefined)])
    expect(saves.filter(Boolean)).toHaveLength(1)
    expect(await one.load()).toBe(saves[0] ? 'one' : 'other')
  })

  it('deletes nothing if another process has saved something since', async () => {
    const state = fileState(file)
    await state.save('two', undefined)
    expect(await state.clear('one')).toBe(false)
    expect(await state.load()).toBe('two')
    expect(await state.clear('two')).toBe(true)
    expect(await state.load()).toBeUndefined()
  })

  it.each([0o644, 0o660, 0o602])('refuses a file of the mode %o', async (mode) => {
    writeFileSync(file, '{}')
    chmodSync(file, mode)
    await expect(Promise.resolve(fileState(file).load())).rejects.toMatchObject({
      code: 'state_unusable',
      message: expect.stringMatching(
        /identity\.json cannot be used: others can use it \(mode 6\d\d, expected 600\)/,
      ),
    })
  })

  it('refuses a file that is no state by its size', async () => {
    writeFileSync(file, Buffer.alloc(1_048_577), { mode: 0o600 })
    await expect(Promise.resolve(fileState(file).load())).rejects.toThrow('is too large (1048577 bytes)')
  })

  it('replaces the lock and the half file of a process that was killed', async () => {
    await leaveLock(DEAD_PROCESS)
    writeFileSync(`${file}.tmp`, 'ha', { mode: 0o644 })
    expect(await fileState(file).save('one', undefined)).toBe(true)
    expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual(['one', 0o600])
    expect([existsSync(`${file}.lock`), existsSync(`${file}.tmp`)]).toEqual([false, false])
  })

  it('lets several processes replace a dead lock, and only one of them save', async () => {
    await leaveLock(DEAD_PROCESS)
    const texts = ['a', 'b', 'c', 'd', 'e']
    const saves = await Promise.all(texts.map((text) => fileState(file).save(text, undefined)))
    expect(saves.filter(Boolean)).toHaveLength(1)
  })

  it('replaces an old lock of another machine, and waits for a new one', async () => {
    writeFileSync(`${file}.lock`, 'elsewhere 1 a')
    await expectToWait()
  })

  // Only Linux has containers that share a host name.
  if (process.platform === 'linux')
    it('waits for a process in another container with the same host name', async () => {
      const elsewhere = jest.spyOn(promises, 'readlink').mockResolvedValue('pid:[1]')
      await leaveLock(DEAD_PROCESS)
      elsewhere.mockRestore()
      await expectToWait()
    })

  it('replaces a lock from before a restart, after which the clock is a year too early', async () => {
    const lock = `${file}.lock`
    // After the restart, another process has the same id.
    await leaveLock(process.pid)
    utimesSync(lock, new Date(), new Date(Date.now() + 365 * 86_400_000))
    expect(await fileState(file).save('one', undefined)).toBe(true)
  })

  it('finds out before a key is used that it cannot save', async () => {
    const state = fileState(join(folder, 'none', 'identity.json'))
    await expect(Promise.resolve(state.trySave?.())).rejects.toThrow(/ENOENT.*none/)
    await fileState(file).trySave?.()
    expect(readdirSync(folder)).toEqual([])
  })

  it('names the folder that is missing', async () => {
    const state = fileState(join(folder, 'none', 'identity.json'))
    await expect(Promise.resolve(state.save('a', undefined))).rejects.toThrow(/ENOENT.*none/)
  })
})
