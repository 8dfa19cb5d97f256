import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Keyv } from 'keyv'
import { hashSecret, memoryStore } from '../../../lib/index.js'
import { jwkThumbprint } from '../../../lib/jose/jwk.js'
import type { ClientRegistry } from '../../../lib/ports/client.js'
import { keyvClientRegistry } from '../../../lib/stores/keyv/keyv.js'
import { askSigned, bindByProof } from '../../support/bound-client.js'
import { clientKey } from '../../support/client-assertion.js'
import { redisDatabase, sqliteDatabase } from '../../support/keyv/databases'
import { signProof } from '../../support/proof.js'
import { startRedis } from '../../support/redis/servers'
import { manage, registerClient, update } from '../../support/registering.js'
import { askForKey, obtainKey, send } from '../../support/requests.js'
import { CLIENT, ISSUER, type RunningServer, SECRET, startServer } from '../../support/server.js'

const BASIC = ['client_secret_basic'] as const

/** Saves the first client in the database, as an operator does once. */
function enrolFirst(registry: ClientRegistry): Promise<boolean> {
  return registry.save({
    clientId: CLIENT,
    revision: 1,
    secretHash: hashSecret(SECRET),
    authenticationMethods: ['client_secret_basic', 'client_secret_post'],
    policy: { defaultScopes: ['provision:token'], subjects: ['device:*'], rebinding: 'add', maxBindings: 16 },
  })
}

async function withServer<T>(
  keyv: Keyv,
  use: (server: RunningServer) => Promise<T>,
  store = memoryStore(),
): Promise<T> {
  const clients = keyvClientRegistry(keyv, { lock: store, timeoutSeconds: 2 })
  await enrolFirst(clients)
  const server = await startServer({ options: { clients, store } })
  try {
    return await use(server)
  } finally {
    await server.close()
  }
}

test('a client id with a space can be kept as the one that asked for a binding', async () => {
  const database = sqliteDatabase()
  const store = memoryStore()
  try {
    const clients = keyvClientRegistry(await database.connect(), { lock: store })
    const policy = { scopes: ['provision:bind', 'devices:read'], subjects: ['device:*'] }
    const named = { revision: 1, secretHash: hashSecret(SECRET), authenticationMethods: BASIC, policy }
    await clients.save({ clientId: 'ci runner', ...named })
    const server = await startServer({ options: { clients, store } })
    try {
      const asked = askForKey(
        server,
        { scope: 'provision:bind', requested_subject: 'device:7' },
        { id: 'ci runner', secret: SECRET },
      )
      const { access_token: token } = (await asked.expect(200)).body
      const key = clientKey()
      const proof = signProof(key, { method: 'POST', url: `${ISSUER}/oauth/bind` }, { token })
      const headers = { Authorization: `Bearer ${token}`, DPoP: proof }
      await send(server, 'post', '/oauth/bind').set(headers).expect(201)
      expect(await server.keys.listBindings('device:7')).toMatchObject([{ askedBy: 'ci runner' }])
      await server.keys.deleteClient('device:7')
    } finally {
      await server.close()
    }
  } finally {
    await database.breakDown()
  }
})

describe('clients in an SQLite file', () => {
  it('register, bind, and are there after a restart; no secret of theirs is in the file', async () => {
    const database = sqliteDatabase()
    const key = clientKey()
    try {
      const [told, secrets] = await withServer(await database.connect(), async (server) => {
        const bound = await obtainKey(server, { scope: 'provision:bind', requested_subject: 'device:7' })
        expect((await bindByProof(server, key, { requested_subject: 'device:7' })).status).toBe(201)
        const first = await registerClient(server, { client_name: 'lamp', scope: 'devices:read' })
        const { body } = await update(server, first, { client_name: 'lamp two' }).expect(200)
        const tokens = [first, body].flatMap((one) => one.registration_access_token.split('.').slice(1))
        return [{ ...first, ...body }, [bound, SECRET, first.client_secret, ...tokens]]
      })
      await database.breakDown()
      await withServer(await database.connect(), async (server) => {
        const credentials = { id: told.client_id, secret: told.client_secret }
        await askForKey(server, { scope: 'devices:read' }, credentials).expect(200)
        await askForKey(server, {}, { ...credentials, secret: `${credentials.secret}x` }).expect(401)
        const { body } = await manage(server, 'get', told).expect(200)
        expect(body.client_name).toBe('lamp two')
        await askSigned(server, key, 'device:7').expect(200)
        await askSigned(server, clientKey(), 'device:7').expect(401)
        await manage(server, 'delete', told).expect(204)
        await askForKey(server, { scope: 'devices:read' }, credentials).expect(401)
      })
      const bytes = Buffer.concat(
        readdirSync(database.folder).map((name) => readFileSync(join(database.folder, name))),
      )
      expect(bytes.includes('device:7')).toBe(true)
      for (const secret of secrets)
        for (const form of [
          secret,
          Buffer.from(secret).toString('base64'),
          Buffer.from(secret).toString('hex'),
        ])
          expect(bytes.includes(form)).toBe(false)
    } finally {
      await database.close()
    }
  })

  it('lose none of the keys that several servers bind to one client concurrently', async () => {
    const database = sqliteDatabase()
    const store = memoryStore()
    try {
      await withServer(
        await database.connect(),
        async (one) =>
          withServer(
            await database.connect(),
            async (other) => {
              const keys = Array.from({ length: 6 }, () => clientKey())
              const bind = (key: (typeof keys)[number], i: number) =>
                bindByProof(i % 2 === 0 ? one : other, key, { requested_subject: 'device:7' })
              const answers = await Promise.all(keys.map(bind))
              expect(answers.map(({ status }) => status)).toEqual(keys.map(() => 201))
              for (const key of keys)
                await askSigned(one, { ...key, kid: jwkThumbprint(key.jwk) }, 'device:7').expect(200)
            },
            store,
          ),
        store,
      )
    } finally {
      await database.close()
    }
  })
})

describe('a database that does not answer', () => {
  it('is a 503 for clients and strangers alike, and nothing is spent or told', async () => {
    const redis = await startRedis()
    const database = redisDatabase(redis, 'clients')
    try {
      await withServer(await database.connect(), async (server) => {
        const key = await obtainKey(server, { scope: 'provision:bind' })
        await redis.close()
        const [known, stranger] = [
          await askForKey(server),
          await askForKey(server, {}, { id: 'nobody', secret: SECRET }),
        ]
        for (const { status, body, headers } of [known, stranger]) {
          expect([status, body.error]).toEqual([503, 'temporarily_unavailable'])
          expect(headers['retry-after']).toMatch(/^\d+$/)
        }
        expect(known.body).toEqual(stranger.body)
        const refused = server.events.filter(({ type }) => type === 'request.refused')
        expect(refused.map((event) => 'reason' in event && event.reason)).toEqual(
          Array(2).fill('registry_unavailable'),
        )
        expect(JSON.stringify(server.events)).not.toContain(key)
      })
    } finally {
      await database.close()
      await redis.close()
    }
  })

  it('answers 503 for a damaged client until its record is repaired', async () => {
    const database = sqliteDatabase()
    const keyv = await database.connect()
    try {
      await withServer(keyv, async (server) => {
        const { client_id: id, client_secret: secret } = await registerClient(server)
        const ask = () => askForKey(server, { scope: 'devices:read' }, { id, secret })
        await ask().expect(200)
        const name = `client-${createHash('sha256').update(id).digest('hex')}`
        const text = String(await keyv.get(name))
        await keyv.set(name, text.replace('"client":{', '"client":{"suspended":true,'))
        const { status, body } = await ask()
        expect([status, body.error]).toEqual([503, 'temporarily_unavailable'])
        await keyv.set(name, text)
        await ask().expect(200)
      })
    } finally {
      await database.close()
    }
  })
})
