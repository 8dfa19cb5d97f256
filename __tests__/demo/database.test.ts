import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clientKey } from '../support/client-assertion.js'
import { sampled } from '../support/scale.js'
import { type Demo, run, startDemo } from './child.js'
import { ask, askSigned, bind, keyFor, register, request, SECRET } from './requests.js'

jest.setTimeout(60_000)

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'demo-'))
  path = join(folder, 'clients.sqlite')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Runs the demo with the database, stops it by Ctrl-C, and returns the result of `use`. */
async function withDemo<T>(
  use: (demo: Demo) => Promise<T>,
  { secret = SECRET, port = 0 }: { secret?: string; port?: number } = {},
): Promise<T> {
  const env = { DEMO_DATABASE: path, DEMO_CLIENT_SECRET: secret, PORT: String(port) }
  const demo = await startDemo(env)
  try {
    return await use(demo)
  } finally {
    demo.kill('SIGINT')
    expect(await demo.exited).toBe(0)
  }
}

it('keeps its clients and their bindings over a restart, and no others', async () => {
  const [device, own, stranger] = [clientKey(), clientKey(), clientKey('ES384')]
  const client = await withDemo(async (demo) => {
    await bind(demo, device, 'device:7')
    await bind(demo, own, 'demo-client')
    const deleted = await register(demo)
    await request(demo, 'delete', `/oauth/register/${deleted.client_id}`)
      .set('Authorization', `Bearer ${deleted.registration_access_token}`)
      .expect(204)
    return { ...(await register(demo)), deleted, port: demo.port }
  })
  // At the same port, because the issuer contains the port, and keys name their issuer.
  await withDemo(async (demo) => {
    const { client_id: id, client_secret: secret, registration_access_token: token, deleted } = client
    await ask(demo, { scope: 'provision:token' }, [id, secret]).expect(200)
    await ask(demo, { scope: 'provision:token' }, [id, `${secret}x`]).expect(401)
    await ask(demo, { scope: 'provision:token' }, [deleted.client_id, deleted.client_secret]).expect(401)
    const read = await request(demo, 'get', `/oauth/register/${id}`).set('Authorization', `Bearer ${token}`)
    expect([read.status, read.body.client_name]).toEqual([200, 'lamp'])
    await askSigned(demo, device, 'device:7').expect(200)
    await askSigned(demo, stranger, 'device:7').expect(401)
    await askSigned(demo, own, 'demo-client').expect(200)
  }, client)
})

it('takes the secret of its own client from the environment, not from the file', async () => {
  await withDemo((demo) => ask(demo, {}).expect(200))
  await withDemo(
    async (demo) => {
      await ask(demo, {}, ['demo-client', 'another-secret-for-tomorrow']).expect(200)
      await ask(demo, {}).expect(401)
    },
    { secret: 'another-secret-for-tomorrow' },
  )
})

it('prints where the clients are stored', async () => {
  await withDemo(async (demo) => {
    expect(demo.stdout()).toContain(`  clients    stored in "${path.slice(0, 20)}`)
    expect(demo.stderr()).toBe('')
  })
})

it('lets no other user read the file, and stores no secret in it', async () => {
  writeFileSync(path, '', { mode: 0o644 })
  const secrets = await withDemo(async (demo) => {
    const key = await keyFor(demo, { scope: 'provision:bind' })
    const { client_secret, registration_access_token } = await register(demo)
    for (const name of readdirSync(folder))
      expect([name, statSync(join(folder, name)).mode & 0o777]).toEqual([name, 0o600])
    return [SECRET, key, client_secret, ...registration_access_token.split('.').slice(1)]
  })
  const bytes = Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name))))
  expect(bytes.includes('lamp')).toBe(true)
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(20)
    for (const form of [secret, Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('hex')])
      expect(bytes.includes(form)).toBe(false)
  }
})

it('rejects a file that it cannot use, in one line', async () => {
  const text = join(folder, 'text')
  writeFileSync(text, 'This is a text, and a long one.\n'.repeat(200), { mode: 0o644 })
  symlinkSync(folder, join(folder, 'link'))
  const cases: [database: string, problem: string][] = [
    [join(folder, 'none', 'x'), 'its folder does not exist'],
    [join(text, 'x'), 'its parent is not a folder'],
    [folder, 'it is a folder'],
    [join(folder, 'link'), 'it is a folder'],
    [text, 'it is not an SQLite database'],
  ]
  const expectRejected = async ([database, problem]: (typeof cases)[number]) => {
    const child = run('main.ts', { PORT: '0', HTTP_PORT: '0', DEMO_DATABASE: database })
    expect(await child.exited).toBe(1)
    expect(child.stderr()).toMatch(/^demo: DEMO_DATABASE: cannot use "[^\n]*\n$/)
    expect(child.stderr()).toContain(`: ${problem}\n`)
    expect(child.stdout()).toBe('')
  }
  await Promise.all(sampled(cases, ([, problem]) => /folder/.test(problem)).map(expectRejected))
  // A file that is not a database stays unchanged.
  expect(statSync(text).mode & 0o777).toBe(0o644)
  expect(readFileSync(text, 'utf8')).toMatch(/^This is a text/)
})

it('rejects a file that another demo has open, also through a link', async () => {
  symlinkSync(path, join(folder, 'link'))
  await withDemo(async () => {
    for (const name of sampled([join(folder, 'link'), path], () => 'the same file')) {
      const second = run('main.ts', { PORT: '0', HTTP_PORT: '0', DEMO_DATABASE: name })
      expect(await second.exited).toBe(1)
      expect(second.stderr()).toMatch(/: another demo or program has it open\n$/)
    }
  })
})
