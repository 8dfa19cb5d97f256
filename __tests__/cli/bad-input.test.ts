import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { itInAll } from '../support/scale.js'
import { closeServer, SECRET } from '../support/server.js'
import { linesOf, openWorkplace, run, runHere, type Workplace } from './command-line.js'

/** Each bad input ends the command within bounded time, with one error line and the right exit code. */

const METADATA = '/.well-known/oauth-authorization-server'
const STATE = { format: 'express-provisioning-keys/client', version: 1 }

let work: Workplace
const servers: Server[] = []

beforeAll(async () => {
  work = await openWorkplace()
})

afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    await closeServer(server)
  }
  await work.close()
})

/** A server that is no issuer. Returns its origin. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://localhost:${(server.address() as AddressInfo).port}`
}

interface Given {
  readonly issuer?: string
  readonly key?: string
  readonly state?: string
}

let devices = 0

/** Binds a device, and expects one error, without the key or its parts. */
async function fail({ issuer, key, state }: Given): Promise<readonly [ending: unknown, error: object]> {
  devices += 1
  const given = key ?? (await work.keyFor('device:1', 'provision:bind'))
  const file = work.file(`key-${devices}`, given)
  const bind = ['--action', 'bind', '--state', state ?? work.path(`${devices}.json`), '--key-file', file]
  const place = ['--issuer', issuer ?? work.issuer.origin, '--deadline', '1']
  const ended = await runHere(['provision', ...place, ...bind], { isTerminal: false })
  const errors = linesOf(ended.stderr).filter(({ type }) => type === 'error')
  expect([ended.stdout, errors.length]).toEqual(['', 1])
  if (given !== '') expect(ended.stderr).not.toContain(given.slice(0, 40))
  return [ended.ending, errors[0] ?? {}]
}

const FINAL = (code: string, blame: string, message: RegExp) => [
  1,
  expect.objectContaining({ code, blame, isTransient: false, message: expect.stringMatching(message) }),
]
const TRANSIENT = (code: string, blame: string, message: RegExp) => [
  75,
  expect.objectContaining({ code, blame, isTransient: true, message: expect.stringMatching(message) }),
]

describe('a state file', () => {
  it.each([
    ['is damaged', '{', /it is damaged: expected JSON/],
    ['has a newer version', JSON.stringify({ ...STATE, version: 2 }), /a newer version of this package/],
    ['is of another program', '{"name":"agent"}', /another program wrote it/],
  ])('that %s is a final error', async (title, text, message) => {
    const state = work.file(`${title}.json`, text)
    expect(await fail({ state })).toEqual(FINAL('state_unusable', 'you', message))
  })

  it('that others can read is a final error', async () => {
    const state = work.file('open.json', '{}')
    chmodSync(state, 0o644)
    const message = /others can use it .mode 644, expected 600/
    expect(await fail({ state })).toEqual(FINAL('state_unusable', 'you', message))
  })

  it('on a full disk is a transient error, and the key is still good', async () => {
    const key = await work.keyFor('device:2', 'provision:bind')
    const state = work.path('full.json')
    const place = ['--issuer', work.issuer.origin, '--action', 'bind', '--state', state]
    const bind = ['provision', ...place, '--key-stdin']
    const full = await run(bind, { input: key, limit: 'ulimit -f 0' })
    const [code, error] = TRANSIENT('state_not_saved', 'you', /EFBIG.*No key is lost/)
    expect([full.code, full.stdout, linesOf(full.stderr).at(-1)]).toEqual([code, '', error])
    expect(await run(bind, { input: key })).toMatchObject({ code: 0 })
  })
})

describe('a result', () => {
  it.each([
    ['a new secret', ['keygen', 'client-secret', '--output', '-']],
    ['a report', ['check', 'http://localhost:1', '--client-id', 'fleet', '--secret-env', 'FLEET_SECRET']],
  ])('that a full disk loses is a transient error: %s', async (name, arguments_) => {
    const limit = `exec >'${work.path(name)}'; ulimit -f 0`
    const { code, stderr } = await run(arguments_, { limit, env: { FLEET_SECRET: SECRET } })
    const message = 'cannot write the standard output (EFBIG).'
    expect([code, linesOf(stderr)]).toEqual([75, [expect.objectContaining({ blame: 'you', message })]])
  })
})

describe('a key', () => {
  it('that was redeemed by another device is a final error', async () => {
    const key = await work.keyFor('device:3', 'provision:bind')
    const other = ['--issuer', work.issuer.origin, '--action', 'bind', '--state', work.path('other.json')]
    const file = work.file('other-key', key)
    expect(await runHere(['provision', ...other, '--key-file', file])).toMatchObject({ ending: 0 })
    expect(await fail({ key })).toEqual(FINAL('refused', 'you', /answered 401/))
  })

  it('that has expired is a final error', async () => {
    const claims = { iss: work.issuer.origin, jti: 'old', sub: 'device:1', exp: 1_700_000_000 }
    const key = keyWith(claims)
    expect(await fail({ key })).toEqual(FINAL('key_expired', 'you', /^The key old expired/))
  })

  it('of another issuer is a final error, and is not sent', async () => {
    const key = keyWith({ iss: 'https://other.example', jti: 'a', sub: 'b', exp: 4_000_000_000 })
    const message = /expected a key of http:.*, got one of https:\/\/other\.example/
    expect(await fail({ key })).toEqual(FINAL('key_of_other_issuer', 'you', message))
  })

  it.each([
    ['is missing', ''],
    ['is another text', SECRET],
  ])('that %s is a final error', async (_, key) => {
    const code = key === '' ? 'key_unavailable' : 'key_malformed'
    expect(await fail({ key })).toEqual(FINAL(code, 'you', /^key: expected/))
  })
})

describe('the secret of a client', () => {
  it.each<[string, () => string, RegExp]>([
    ['is too short', () => work.file('short', 'x'), /^--secret-file: expected the secret .*at least 24/],
    ['is missing', () => '/nowhere/secret', /^--secret-file: cannot read \/nowhere\/secret \(ENOENT\); name/],
  ])('that %s is a final error before the first request', async (_, file, message) => {
    const place = ['--issuer', 'http://localhost:9', '--action', 'token', '--deadline', '1']
    const client = ['--client-id', 'fleet', '--secret-file', file()]
    const { ending, stderr } = await runHere(['provision', ...place, ...client], { isTerminal: false })
    expect([ending, ...linesOf(stderr)]).toEqual(FINAL('key_unavailable', 'you', message))
  })

  it('that is no longer there does not matter to a device that is provisioned', async () => {
    const place = [
      '--issuer',
      work.issuer.origin,
      '--action',
      'bind',
      '--state',
      work.path('provisioned.json'),
    ]
    const client = ['--client-id', 'fleet', '--subject', 'device:9', '--secret-file']
    const first = await runHere(['provision', ...place, ...client, work.file('long', SECRET)])
    const again = await runHere(['provision', ...place, ...client, '/nowhere/secret'])
    expect([first.ending, again.ending]).toEqual([0, 0])
  })
})

describe('an issuer', () => {
  itInAll('that hangs is a transient error', async () => {
    const issuer = await serve(() => undefined)
    expect(await fail({ issuer })).toEqual(TRANSIENT('issuer_unreachable', 'network', /did not answer/))
  })

  it('that is down is a transient error', async () => {
    const issuer = await serve(() => undefined)
    await closeServer(servers.pop() as Server)
    expect(await fail({ issuer })).toEqual(TRANSIENT('issuer_unreachable', 'network', /ECONNREFUSED/))
  })

  it('that has the metadata of another issuer is a final error', async () => {
    const issuer = await serve((_, res) => res.setHeader('Content-Type', 'application/json').end(OTHER))
    expect(await fail({ issuer })).toEqual(
      TRANSIENT('issuer_invalid', 'issuer', /metadata of another issuer/),
    )
  })

  it('that redirects is a final error', async () => {
    const issuer = await serve((_, res) =>
      res.writeHead(302, { Location: work.issuer.origin + METADATA }).end(),
    )
    expect(await fail({ issuer })).toEqual(TRANSIENT('issuer_invalid', 'issuer', /redirect/))
  })

  it('that answers HTML can be a login page, and the next call tries again', async () => {
    const issuer = await serve((_, res) => res.setHeader('Content-Type', 'text/html').end('<h1>Hello</h1>'))
    expect(await fail({ issuer })).toEqual(
      TRANSIENT('issuer_invalid', 'issuer', /with an HTML page\. If this is the login page/),
    )
  })

  it('that repeats the key and the secret in its error makes the command print neither', async () => {
    const issuer = await serve((req, res) => {
      const origin = `http://${req.headers.host}`
      const said = `you sent ${SECRET} and ${keyWith({})}\u001b[2J`
      const body = req.url?.startsWith('/.well-known')
        ? { issuer: origin, token_endpoint: `${origin}/token`, response_types_supported: [] }
        : { error: 'invalid_client', error_description: said }
      res
        .writeHead('error' in body ? 401 : 200, { 'Content-Type': 'application/json' })
        .end(JSON.stringify(body))
    })
    const fleet = ['--action', 'token', '--client-id', 'fleet', '--secret-file', work.file('secret', SECRET)]
    const ended = await runHere(['provision', '--issuer', issuer, ...fleet], { isTerminal: false })
    expect([ended.ending, ended.stdout]).toEqual([1, ''])
    const message = expect.stringContaining('you sent (a secret) and (a token)')
    expect(linesOf(ended.stderr)).toEqual([expect.objectContaining({ message })])
  })
})

const OTHER = JSON.stringify({
  issuer: 'https://other.example',
  token_endpoint: 'https://other.example/token',
})

/** A key with a signature that nobody checks before the claims. */
function keyWith(claims: object): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  return `${encode({ alg: 'ES256', typ: 'provisioning-key+jwt' })}.${encode(claims)}.${'s'.repeat(86)}`
}
