import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStore } from '../../lib/index.js'
import { thumbprint } from '../../lib/jose/jwk.js'
import { testClock } from '../../lib/testing/clock.js'
import { obtainKey, postForm, send } from '../support/requests.js'
import { CLIENT, type RunningServer, SECRET, SIGNING_KEY, startServer } from '../support/server.js'
import { codeUnder } from './markdown'
import { runCode } from './run-code'

type Examples = Record<string, (...args: string[]) => Promise<unknown>>

/** The code under a heading of the page, run with the keys of a server. */
function examples(heading: string, { keys }: RunningServer, globals: object = {}): Examples {
  return runCode(codeUnder('docs/operations/key-rotation.md', heading), { globals: { keys, ...globals } })
}

async function withServer(test: (server: RunningServer) => Promise<void>) {
  const server = await startServer()
  try {
    await test(server)
  } finally {
    await server.close()
  }
}

async function kidsOf(server: RunningServer): Promise<string[]> {
  const { body } = await send(server, 'get', '/oauth/jwks').expect(200)
  return body.keys.map(({ kid }: { kid: string }) => kid)
}

function read(server: RunningServer, key: string) {
  return send(server, 'get', '/devices').set('Authorization', `Bearer ${key}`)
}

const pemOf = (key: KeyObject) => key.export({ format: 'pem', type: 'pkcs8' }) as string
const next = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const [FIRST, NEXT] = [SIGNING_KEY, next.publicKey].map(thumbprint) as [string, string]

describe('docs/operations/key-rotation.md', () => {
  it('rotates one process at a signal', () =>
    withServer(async (server) => {
      const handlers: (() => Promise<void>)[] = []
      const printed: string[] = []
      const process = { on: (signal: string, act: () => Promise<void>) => handlers.push(act) && signal }
      const console = { log: (line: string) => printed.push(line) }
      examples('One process', server, { process, console })
      await handlers[0]?.()
      const [kid] = await kidsOf(server)
      expect(printed).toEqual([expect.stringMatching(`^signing with ${kid}; ${FIRST} verifies until 20`)])
    }))

  it('announces a key, and activates it', () =>
    withServer(async (server) => {
      const folder = mkdtempSync(join(tmpdir(), 'epk-'))
      try {
        const pem = join(folder, 'next.pem')
        writeFileSync(pem, pemOf(next.privateKey))
        const { announce, activate } = examples('Many processes', server)
        expect(await announce?.(pem)).toBe(NEXT)
        expect(await kidsOf(server)).toEqual([FIRST, NEXT])
        expect(await activate?.(pem)).toMatchObject({ kid: NEXT, retired: { kid: FIRST } })
        expect(await kidsOf(server)).toEqual([NEXT, FIRST])
      } finally {
        rmSync(folder, { recursive: true })
      }
    }))

  it('lets a process restart at any time after step 4, also after the overlap', async () => {
    const clock = testClock()
    const store = memoryStore({ now: clock.now })
    const started: RunningServer[] = []
    const startProcess = async (signingKeys: KeyObject[]) => {
      const server = await startServer({ options: { store, now: clock.now, signingKeys } })
      started.push(server)
      return server
    }
    const expectAccepted = async (from: RunningServer, by: RunningServer) => {
      const key = await obtainKey(from, { scope: 'devices:read' })
      await read(by, key).expect(200)
    }
    const accordingToStep4 = [next.privateKey, createPublicKey(SIGNING_KEY)]
    try {
      const one = await startProcess([SIGNING_KEY, next.publicKey])
      const restarted = await startProcess(accordingToStep4)
      await expectAccepted(one, restarted)
      await expectAccepted(restarted, one)
      await one.keys.rotateSigningKey(next.privateKey, { overlapSeconds: 600 })
      await expect(restarted.keys.rotateSigningKey(next.privateKey)).rejects.toThrow('active key')
      clock.advance(700)
      const restartedLater = await startProcess(accordingToStep4)
      await expectAccepted(restartedLater, one)
      await expectAccepted(one, restartedLater)
    } finally {
      for (const server of started) await server.close()
    }
  })

  it('drops a stolen key, and revokes everything', () =>
    withServer(async (server) => {
      const key = await obtainKey(server, { scope: 'devices:read' })
      const { dropStolenKey, revokeEverything } = examples('A stolen signing key', server)
      await dropStolenKey?.(FIRST, pemOf(next.privateKey))
      expect(await kidsOf(server)).toEqual([NEXT])
      await read(server, key).expect(401)
      const since = await obtainKey(server, { scope: 'devices:read' })
      await read(server, since).expect(200)
      await revokeEverything?.()
      await read(server, since).expect(401)
    }))

  it('revokes the keys of one client', () =>
    withServer(async (server) => {
      const key = await obtainKey(server)
      await examples('One client', server).revokeClient?.(CLIENT)
      const { body } = await postForm(server, '/oauth/introspect', { token: key }).auth(CLIENT, SECRET)
      expect(body).toEqual({ active: false })
    }))
})
