import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connect } from 'node:tls'
import type { Express } from 'express'
import supertest from 'supertest'
import type * as library from '../../lib/index.js'
import * as redisLibrary from '../../lib/stores/redis/redis.js'
import { startRedis } from '../support/redis/servers.js'
import { postForm } from '../support/requests.js'
import { SIGNING_KEY, startServer } from '../support/server.js'
import { codeUnder, tableRows } from './markdown'
import { runCode } from './run-code'

const PAGE = 'docs/guides/several-processes.md'
const CAPACITY = 'docs/operations/capacity.md'
const FROM_PROXY = { 'X-Forwarded-Proto': 'https' }

/** The exports of the code under a heading of the page. */
function run<T>(heading: string): T {
  const modules = { 'express-provisioning-keys/redis': redisLibrary }
  return runCode<T>(codeUnder(PAGE, heading), { modules })
}

interface Made {
  readonly app: Express
  readonly keys: library.ProvisioningKeys
  readonly redis: { destroy(): void }
}

const SECRET = randomBytes(32).toString('hex')

type MakeApp = (redisUrl: string, secrets: string, clients: library.ClientLookup) => Promise<Made>

describe(PAGE, () => {
  it('makes apps that are one deployment', async () => {
    const { makeApp } = run<{ makeApp: MakeApp }>('Switch it on')
    const server = await startRedis()
    const secrets = mkdtempSync(join(tmpdir(), 'secrets-'))
    writeFileSync(
      join(secrets, 'signing-key.pem'),
      SIGNING_KEY.export({ format: 'pem', type: 'pkcs8' }) as string,
    )
    writeFileSync(join(secrets, 'nonce-secret'), `${'n'.repeat(32)}\n`)
    const clients = (clientId: string) =>
      clientId === 'ci-runner' ? { clientId, clientSecret: SECRET } : undefined
    const made: Made[] = []
    try {
      for (const _ of [1, 2]) made.push(await makeApp(server.url, secrets, clients))
      const [one, other] = made as [Made, Made]
      const post = ({ app }: Made, form: object) =>
        supertest(app).post('/oauth/token').set(FROM_PROXY).type('form').send(form)
      const { body } = await post(one, { grant_type: 'client_credentials' })
        .auth('ci-runner', SECRET)
        .expect(200)
      const exchange = {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: body.access_token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      }
      const exchanged = await post(other, exchange).expect(200)
      expect(exchanged.headers.ratelimit).toMatch(/"token-address"; r=298;/)
      await post(one, exchange).expect(400)
      await supertest(one.app).get('/ready').expect(200)
    } finally {
      for (const { redis } of made) redis.destroy()
      await server.close()
      rmSync(secrets, { recursive: true })
    }
  })

  it('ends a server after its requests and their work in the background, and closes idle connections', async () => {
    type EndOf = (
      server: Server,
      keys: Pick<library.ProvisioningKeys, 'drain' | 'finish'>,
      seconds: object,
    ) => Promise<void>
    const { endOf } = run<{ endOf: EndOf }>('Rolling restarts')
    let finish: () => void = () => undefined
    const server = await startServer({
      options: { monitoring: { detailedRefusals: 1 } },
      mount(app, keys) {
        app.get('/ready', keys.readiness())
        app.use(keys.router())
        app.get('/slow', async (_req, res) => {
          await new Promise<void>((resolve) => {
            finish = resolve
          })
          res.send('done')
        })
      },
    })
    const open = async (text: string) => {
      const socket = connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false })
      let received = ''
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.setEncoding('utf8').on('data', (data) => {
        received += data
      })
      await new Promise((resolve) => socket.once('secureConnect', resolve))
      socket.write(text)
      return { socket, closed, received: () => received }
    }
    const requestOf = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`
    const kept = await open(requestOf('/ready'))
    const slow = await open(requestOf('/slow'))
    while (!kept.received().includes('{"ready":true}')) await pause(10)
    const refused = () => postForm(server, '/oauth/token', { grant_type: 'client_credentials' }).expect(401)
    for (let i = 0; i < 3; i += 1) await refused()
    const ended = endOf(server.https, server.keys, { drainSeconds: 1, graceSeconds: 60 })
    kept.socket.write(requestOf('/ready'))
    while (!kept.received().includes('{"ready":false}')) await pause(10)
    expect(kept.received()).toMatch(/Connection: close/)
    await kept.closed
    while (server.https.listening) await pause(10)
    finish()
    await ended
    expect(server.events.map(({ type }) => type)).toContain('refusals.summarized')
    await slow.closed
    expect(slow.received()).toMatch(/^HTTP\/1\.1 200 .*done$/s)
  })

  it('computes the capacity from the measurements', () => {
    const numbers = (text: string) =>
      (text.match(/\d[\d,.]*/g) ?? []).map((one) => Number(one.replaceAll(',', '')))
    const measured = tableRows(CAPACITY, 'Measurements').flatMap((cells) => cells.slice(1).flatMap(numbers))
    const stated = [...measured, 41, 87, 720, 510, 3605, 305, 75]
    for (const [what = '', how = '', amount = ''] of tableRows(CAPACITY, 'What follows').slice(0, 14)) {
      const plain = how
        .replaceAll(',', '')
        .replaceAll('×', '*')
        .replaceAll(/µs|bytes|\bs\b/g, '')
      const value = Number(new Function(`return (${plain})`)())
      const units: readonly [RegExp, number, (value: number) => number][] = [
        [/cores|primaries/, 1e-6, Math.ceil],
        [/keys a second/, 1e6, Math.round],
        [/a second/, 1, Math.round],
        [
          /GB/,
          1e-9,
          (gigabytes) => Number(gigabytes.toPrecision(gigabytes < 10 ? 1 + Number(gigabytes > 1) : 2)),
        ],
        [/Mbit/, 1e-6, Math.round],
      ]
      const [, scale = 1, round = Math.round] = units.find(([unit]) => unit.test(amount)) ?? []
      expect([what, numbers(amount)[0]]).toEqual([what, round(value * scale)])
      const used = numbers(how).filter((number) => ![16_667, 0.6, 2, 8, 4].includes(number))
      expect(used.filter((number) => !stated.includes(number))).toEqual([])
    }
  })
})
