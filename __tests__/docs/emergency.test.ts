import { createHash, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express from 'express'
import supertest from 'supertest'
import { thumbprint } from '../../lib/jose/jwk.js'
import { askForKey, obtainKey, send } from '../support/requests.js'
import { CLIENT, type RunningServer, SIGNING_KEY, startServer } from '../support/server.js'
import { codeUnder } from './markdown'
import { runCode } from './run-code'

const TOKEN = 't'.repeat(64)
const next = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const [STOLEN, NEXT] = [SIGNING_KEY, next.publicKey].map(thumbprint) as [string, string]

let folder: string
let server: RunningServer
let replace: (kid: string, token?: string) => supertest.Test
let act: (path: string, body: object, token?: string) => supertest.Test

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'emergency-'))
  const file = join(folder, 'next.pem')
  writeFileSync(file, next.privateKey.export({ format: 'pem', type: 'pkcs8' }))
  server = await startServer()
  const app = express().set('trust proxy', 'loopback')
  const hash = createHash('sha256').update(TOKEN).digest('hex')
  const env = { EMERGENCY_TOKEN_SHA256: hash, NEXT_SIGNING_KEY_FILE: file }
  runCode(codeUnder('docs/operations/emergency.md', 'Deploy the routes'), {
    globals: { app, keys: server.keys, process: { env } },
  })
  const withToken = (request: supertest.Test, token: string) =>
    request.set({ Authorization: `Bearer ${token}`, 'X-Forwarded-Proto': 'https' })
  replace = (kid, token = TOKEN) => withToken(supertest(app).delete(`/emergency/signing-keys/${kid}`), token)
  act = (path, body, token = TOKEN) =>
    withToken(supertest(app).post(`/emergency/api/${path}`), token).send(body)
})

afterEach(async () => {
  await server.close()
  rmSync(folder, { recursive: true })
})

async function isAccepted(key: string): Promise<boolean> {
  const { status } = await send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`)
  return status === 200
}

describe('the routes of docs/operations/emergency.md', () => {
  it('replace a stolen signing key, and say what is wrong with a second call', async () => {
    const key = await obtainKey(server, { scope: 'devices:read' })
    await replace(STOLEN).expect(200, { result: { kid: NEXT, removed: STOLEN } })
    const { body } = await send(server, 'get', '/oauth/jwks')
    expect(body.keys.map(({ kid }: { kid: string }) => kid)).toEqual([NEXT])
    expect(await isAccepted(key)).toBe(false)
    const again = await replace(STOLEN).expect(500)
    expect(again.body.error).toMatch(/active/)
  })

  it('revoke all keys, or those of one client', async () => {
    const key = await obtainKey(server, { scope: 'devices:read' })
    await act('clients/revoke-keys', { clientId: 'another' }).expect(200)
    expect(await isAccepted(key)).toBe(true)
    await act('clients/revoke-keys', { clientId: CLIENT }).expect(200)
    expect(await isAccepted(key)).toBe(false)
    await act('keys/revoke-all', {}).expect(200)
  })

  it('lock and delete a client', async () => {
    await act('clients/lock', { clientId: CLIENT, reason: 'stolen' }).expect(200, { outcome: 'locked' })
    await act('clients/delete', { clientId: CLIENT }).expect(200, { outcome: 'deleted' })
    expect((await askForKey(server)).status).toBe(401)
  })

  it('do nothing without the token, or over plain HTTP', async () => {
    const key = await obtainKey(server, { scope: 'devices:read' })
    for (const wrong of [`${TOKEN}x`, '']) {
      await act('keys/revoke-all', {}, wrong).expect(403)
      await replace(STOLEN, wrong).expect(403)
    }
    await act('keys/revoke-all', {}).set('X-Forwarded-Proto', 'http').expect(403)
    await replace(STOLEN).set('X-Forwarded-Proto', 'http').expect(403)
    expect(await isAccepted(key)).toBe(true)
  })
})
