import express, { type Express } from 'express'
import request from 'supertest'
import { memoryStore, provisioningKeys, provisioningKeyVerifier } from '../../lib/index.js'
import { overHttps, testClock, testIssuer, testKit } from '../../lib/testing/testing.js'

test('x', async () => {
  const issuer = testIssuer(provisioningKeys, { scopes: ['devices:create', 'devices:read'] })
  const { keys } = issuer
  const app: Express = express()
  app.use(keys.router())
  app.post('/devices', keys.redeemProvisioningKey({ scope: 'devices:create' }), (req, res) => void res.status(201).json({ for: req.provisioning?.subject }))
  const kit = testKit({ ...issuer, app })
  const key = await kit.testKey({ scope: 'devices:create' })
  await request(overHttps(app)).post('/devices').set('Authorization', `Bearer ${key}`).expect(201)
  for (const [name, attack] of Object.entries(kit.attacks).filter(([n]) => !/all|wrongA|wrongK/.test(n))) {
    const t = performance.now()
    await (attack as any)(app, { method: 'POST', path: '/devices', scope: 'devices:create' })
    console.log(name, performance.now() - t)
  }
  console.log(await kit.attacks.all(app, { method: 'POST', path: '/devices', scope: 'devices:create' }))
  void [memoryStore, provisioningKeyVerifier, testClock]
})
