// The app whose answers bench/parts/memory.mjs times, in its own process. The argument says how many keys its store has.
import express from 'express'
import { memoryStore } from 'express-provisioning-keys'
import { fill } from './memory-keys.mjs'
import { ourKeys } from './our-keys.mjs'

if (process.send !== undefined) await serve(Number(process.argv[2]))

async function serve(count) {
  const store = memoryStore({ maxKeys: 10_000_000 })
  await fill(store, { count, clients: Math.min(count, 1_000), now: Math.floor(Date.now() / 1_000) })
  const keys = ourKeys(['read'], { store })
  const app = express()
  app.set('trust proxy', 'loopback')
  app.use(keys.router())
  app.get('/guarded', keys.requireProvisioningKey({ anyScope: true }), (_req, res) => res.sendStatus(204))
  const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
}
