import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express, { type RequestHandler } from 'express'
import Database from 'libsql'
import type { ProvisioningStore } from '../../lib/index.js'
import { ACT, run as ask, withRetrying } from '../support/retrying.js'
import { codeUnder } from './markdown'
import { runCode } from './run-code'

const PAGE = 'docs/concepts/retries.md'

type UntilAnswered = (ask: () => Promise<Response>, tries?: number) => Promise<Response>
const { untilAnswered } = runCode<{ untilAnswered: UntilAnswered }>(codeUnder(PAGE, 'What a client does'))
const { createDevices } = runCode<{ createDevices: (path: string) => RequestHandler }>(
  codeUnder(PAGE, 'What a handler does'),
)

const folder = mkdtempSync(join(tmpdir(), 'retries-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('docs/concepts/retries.md', () => {
  it('has a handler that creates one device, also when it begins again after a crash', async () => {
    const path = join(folder, 'devices.sqlite')
    const clock = { seconds: Math.floor(Date.now() / 1000) }
    let settled = 0
    const verbs = (store: ProvisioningStore): Partial<ProvisioningStore> => ({
      settle(...given) {
        settled += 1
        return settled === 1 ? Promise.reject(new Error('the process is gone')) : store.settle(...given)
      },
    })
    const handlers = [express.json(), createDevices(path)]
    const options = { now: () => clock.seconds * 1000 }
    await withRetrying({ handlers, verbs, options }, async (server) => {
      const key = await server.bound(ACT)
      expect((await ask(server, key, ACT, { now: clock.seconds })).status).toBe(503)
      clock.seconds += 30
      const second = await ask(server, key, ACT, { now: clock.seconds })
      expect([second.status, second.text, server.runs()]).toEqual([201, '{"id":1,"name":"a"}', 2])
      expect((await ask(server, key, ACT, { now: clock.seconds })).text).toBe(second.text)
    })
    const counted = new Database(path).prepare('SELECT count(*) AS devices FROM devices').get()
    expect(counted).toMatchObject({ devices: 1 })
  })

  it('has a client that asks until it is answered', async () => {
    const passing = () =>
      new Response('{"error":"temporarily_unavailable"}', { status: 409, headers: { 'Retry-After': '0.01' } })
    const lost = () => {
      throw new TypeError('fetch failed')
    }
    const given: (() => Response)[] = [lost, passing, () => new Response('fine', { status: 201 })]
    expect(await (await untilAnswered(async () => given.shift()?.() ?? lost())).text()).toBe('fine')
    const own = new Response('{"error":"taken"}', { status: 409 })
    expect(await untilAnswered(async () => own)).toBe(own)
    expect((await untilAnswered(async () => passing(), 2)).status).toBe(409)
    await expect(untilAnswered(async () => lost(), 1)).rejects.toThrow('fetch failed')
  })
})
