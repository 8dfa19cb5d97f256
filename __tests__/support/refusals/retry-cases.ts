import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { clientKey } from '../client-assertion.js'
import { signProof } from '../proof.js'
import { askForKey, send } from '../requests.js'
import { AUDIENCE, ISSUER, type RunningServer } from '../server.js'
import type { Case } from './case.js'

const HOLDER = clientKey()
const target = (url: string) => ({ method: 'POST', url })

async function boundKey(server: RunningServer): Promise<string> {
  const proof = signProof(HOLDER, target(`${ISSUER}/oauth/token`))
  const { body } = await askForKey(server, { scope: 'devices:create' }).set('DPoP', proof).expect(200)
  return body.access_token
}

export const RETRY_CASES: Case[] = [
  {
    title: 'a redemption that is repeated while the first is still at work',
    reason: 'redemption_pending',
    status: 409,
    error: 'temporarily_unavailable',
    headers: { 'retry-after': /^2$/ },
    description: /still under way/,
    // A retry does not wait so long.
    mount(app, keys) {
      app.use(keys.router())
      app.post(
        '/slow',
        keys.redeemProvisioningKey({ scope: 'devices:create', audience: AUDIENCE }),
        async (_req, res) => {
          app.emit('started')
          await Promise.race([once(app, 'ended'), setTimeout(20_000, undefined, { ref: false })])
          res.sendStatus(201)
        },
      )
    },
    async act(server) {
      const key = await boundKey(server)
      const ask = () =>
        send(server, 'post', '/slow').set({
          Authorization: `DPoP ${key}`,
          DPoP: signProof(HOLDER, target(`${AUDIENCE}/slow`), { token: key }),
        })
      const started = once(server.app, 'started')
      const first = ask().then(({ status }) => status)
      await started
      const refused = await ask()
      server.app.emit('ended')
      expect(await first).toBe(201)
      return refused
    },
  },
]
