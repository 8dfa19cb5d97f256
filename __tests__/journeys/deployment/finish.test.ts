import { setTimeout as pause } from 'node:timers/promises'
import { memoryStore, type ProvisioningEvent, type ProvisioningStore } from '../../../lib/index.js'
import { eventsOf } from '../../support/families.js'
import { prover } from '../../support/prover.js'
import { gate } from '../../support/redeeming.js'
import { askForKey, EXCHANGE, JWT_TYPE, obtainKey, postForm, send } from '../../support/requests'
import { itInAll } from '../../support/scale.js'
import { ISSUER, type RunningServer, type ServerPlan, startServer } from '../../support/server'

const SCOPE = { scope: 'devices:create' }

async function withServer(
  test: (server: RunningServer) => Promise<void>,
  options: ServerPlan['options'] = {},
): Promise<void> {
  const server = await startServer({ options: { store: memoryStore(), monitoring: {}, ...options } })
  await test(server).finally(() => server.close())
}

function redeem(server: RunningServer, key: string) {
  return send(server, 'post', '/devices').set('Authorization', `Bearer ${key}`)
}

async function replay(server: RunningServer): Promise<void> {
  const key = await obtainKey(server, SCOPE)
  await redeem(server, key).expect(201)
  await redeem(server, key).expect(401)
}

/** A store that revokes no key before the gate is open. */
function slowStore(opened: Promise<void>): ProvisioningStore {
  const store = memoryStore()
  return { ...store, revoke: (ref) => opened.then(() => store.revoke(ref)) }
}

/** A store that takes no settlement, and releases no key before the gate is open. */
function unsettledStore(opened: Promise<void>): ProvisioningStore {
  const store = memoryStore()
  return {
    ...store,
    settle: () => Promise.reject(new Error('The store is down')),
    release: (...given) => opened.then(() => store.release(...given)),
  }
}

/** Opens the gate when `finish()` waits. */
async function finishAndOpen({ keys }: RunningServer, open: () => void): Promise<void> {
  const finished = keys.finish()
  await pause(50)
  open()
  await finished
}

describe('finish', () => {
  it('waits until a redemption that the store did not confirm is undone', () => {
    const { opened, open } = gate()
    return withServer(
      async (server) => {
        const owner = prover()
        const url = `${ISSUER}/oauth/token`
        const asked = await askForKey(server, { scope: 'provision:token devices:read' }).set(
          'DPoP',
          owner.prove('POST', url),
        )
        await postForm(server, '/oauth/token', {
          grant_type: EXCHANGE,
          subject_token: asked.body.access_token,
          subject_token_type: JWT_TYPE,
        })
          .set('DPoP', owner.prove('POST', url))
          .expect(503)
        expect(eventsOf(server, 'key.released')).toEqual([])
        await finishAndOpen(server, open)
        expect(eventsOf(server, 'key.released')).toMatchObject([{ action: 'token' }])
      },
      { store: unsettledStore(opened) },
    )
  })

  it('writes the findings that would wait for a second', () =>
    withServer(async (server) => {
      await replay(server)
      await replay(server)
      await server.keys.finish()
      expect(await server.keys.findings()).toMatchObject([{ rule: 'replayed_key', count: 2 }])
    }))

  it('carries out the responses of these findings', () =>
    withServer(
      async (server) => {
        await replay(server)
        await server.keys.unlockClient({ clientId: 'ci-runner', author: 'alice' })
        await replay(server)
        await server.keys.finish()
        expect(await server.keys.locks()).toMatchObject([{ clientId: 'ci-runner', kind: 'lock' }])
      },
      { monitoring: { rules: { replayed_key: { responses: ['lockClient'] } } } },
    ))

  it('waits until reported and exposed keys are revoked, and until their findings are written', () => {
    const { opened, open } = gate()
    return withServer(
      async (server) => {
        const [leaked, exposed] = [await obtainKey(server, SCOPE), await obtainKey(server, SCOPE)]
        await postForm(server, '/oauth/leaked', { token: leaked }).expect(202)
        const port = await server.openHttp()
        const headers = { authorization: `Bearer ${exposed}` }
        await fetch(`http://127.0.0.1:${port}/devices`, { method: 'POST', headers })
        expect(eventsOf(server, 'key.leaked')).toEqual([])
        await finishAndOpen(server, open)
        expect(eventsOf(server, 'key.leaked')).toMatchObject([{ revoked: true }])
        expect(eventsOf(server, 'key.exposed')).toMatchObject([{ revoked: true }])
        const rules = (await server.keys.findings()).map(({ rule }) => rule)
        expect(rules.sort()).toEqual(['cleartext_exposure', 'leaked_key'])
      },
      { store: slowStore(opened) },
    )
  })

  it('waits until slow observers and the audit log have taken all events', async () => {
    const taken: string[] = []
    const slowly = (name: string) => async (event: ProvisioningEvent) => {
      await pause(30)
      taken.push(`${name} ${event.type}`)
    }
    await withServer(
      async (server) => {
        await replay(server)
        await server.keys.finish()
        // The finding is written, and so emitted, while finish() waits.
        for (const name of ['observer', 'audit'])
          for (const type of ['key.issued', 'key.redeemed', 'key.replayed', 'finding.opened'])
            expect(taken).toContain(`${name} ${type}`)
      },
      { observer: slowly('observer'), audit: { sink: slowly('audit') } },
    )
  })

  itInAll(
    'waits no longer than ten seconds for an observer that hangs',
    () =>
      withServer(
        async (server) => {
          await replay(server)
          const begun = performance.now()
          await server.keys.finish()
          expect(performance.now() - begun).toBeLessThan(12_000)
        },
        { observer: () => new Promise(() => undefined) },
      ),
    20_000,
  )

  it('emits the summary of refused requests before its minute is over', () =>
    withServer(
      async (server) => {
        for (let i = 0; i < 3; i += 1) await redeem(server, 'no-key').expect(401)
        await server.keys.finish()
        await pause(0)
        expect(eventsOf(server, 'refusals.summarized')).toMatchObject([{ count: 2 }])
      },
      { monitoring: { detailedRefusals: 1 } },
    ))

  it('tries a store that fails only a few times, and still emits the finding', async () => {
    let calls = 0
    const noteFinding = async () => {
      calls += 1
      throw new Error('The store is down')
    }
    await withServer(
      async (server) => {
        await replay(server)
        await server.keys.finish()
        expect(calls).toBeGreaterThan(0)
        expect(calls).toBeLessThan(6)
        expect(eventsOf(server, 'finding.opened')).toHaveLength(1)
      },
      { store: { ...memoryStore(), noteFinding } },
    )
  })
})
