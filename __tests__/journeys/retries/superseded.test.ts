import { type Client, type ClientRegistry, hashSecret, type ProvisioningStore } from '../../../lib/index.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import { gate, refOf, until } from '../../support/redeeming.js'
import { askForKey } from '../../support/requests.js'
import { BIND, type Errand, ownerIdFor, REGISTER, run, withRetrying } from '../../support/retrying.js'
import { CLIENT, SECRET } from '../../support/server.js'

const SUBJECT = 'device:late'

const RUNNER: Client = {
  clientId: CLIENT,
  revision: 1,
  secretHash: hashSecret(SECRET),
  authenticationMethods: ['client_secret_basic'],
  policy: { subjects: ['device:*'] },
}

/** A registry that delays its first answer about the subject until another attempt has saved the subject. */
function slowOnce() {
  const [asked, saved, replaced] = [gate(), gate(), gate()]
  const kept = memoryClientRegistry([RUNNER])
  let isAsked = false
  const registry: ClientRegistry = {
    ...kept,
    async find(clientId) {
      if (clientId === SUBJECT && !isAsked) {
        isAsked = true
        asked.open()
        await saved.opened
      }
      return kept.find(clientId)
    },
    async save(client) {
      const isSaved = await kept.save(client)
      if (client.clientId === SUBJECT) (client.revision === 1 ? saved : replaced).open()
      return isSaved
    },
  }
  return { registry, kept, asked, replaced }
}

/** Changes the subject once when a settlement fails, before the failed attempt can undo anything. */
type Meanwhile = (kept: ClientRegistry) => Promise<unknown>

/** A slow second attempt, which takes the result of a third attempt for a remainder of the first. */
async function supersede(
  errand: Errand,
  meanwhile: Meanwhile,
  look: (kept: ClientRegistry, told: string) => unknown,
) {
  const { registry, kept, asked, replaced } = slowOnce()
  const clock = { seconds: Math.floor(Date.now() / 1000) }
  const options = { now: () => clock.seconds * 1000, clients: registry }
  const verbs = (store: ProvisioningStore): Partial<ProvisioningStore> => ({
    async settle(...given) {
      await replaced.opened
      const answer = await store.settle(...given)
      if (answer === 'lost') await meanwhile(kept)
      return answer
    },
  })
  await withRetrying({ options, verbs }, async (server) => {
    const key = await server.bound(errand, { requested_subject: SUBJECT })
    const { jkt } = (await server.store.find(refOf(key)))?.confirmation ?? {}
    const ownerId = ownerIdFor(jkt, errand)
    await server.store.redeem(refOf(key), 'the-first', { ownerId, leaseSeconds: 30 })
    clock.seconds += 30
    const second = run(server, key, errand, { now: clock.seconds })
    await asked.opened
    clock.seconds += 30
    const third = await run(server, key, errand, { now: clock.seconds })
    expect(third.status).toBe(201)
    expect((await second).status).toBe(401)
    await until(() => server.refusal() === 'key_redeeming')
    expect((await run(server, key, errand, { now: clock.seconds })).text).toBe(third.text)
    await look(kept, third.text)
    if (errand !== REGISTER) return
    const { client_secret: secret } = JSON.parse(third.text)
    expect((await askForKey(server, {}, { id: SUBJECT, secret })).status).toBe(200)
  })
}

const nothing = async () => undefined

const bindingIds = async (kept: ClientRegistry) =>
  (await kept.find(SUBJECT))?.bindings?.map(({ bindingId }) => bindingId)

describe('an attempt that goes on after another has ended in its place', () => {
  test('restores the registration that it took for a leftover', () =>
    supersede(REGISTER, nothing, async (kept) => {
      expect(await kept.find(SUBJECT)).toMatchObject({ clientId: SUBJECT, secretHash: expect.any(String) })
    }))

  test('restores the binding that it took for a leftover', () =>
    supersede(BIND, nothing, async (kept, told) => {
      expect(await bindingIds(kept)).toEqual([JSON.parse(told).binding_id])
    }))

  test('restores the binding also where the client has changed meanwhile', () => {
    const meanwhile: Meanwhile = async (kept) => {
      const client = await kept.find(SUBJECT)
      if (client !== undefined) await kept.save({ ...client, revision: client.revision + 1 })
    }
    return supersede(BIND, meanwhile, async (kept, told) => {
      expect(await bindingIds(kept)).toEqual([JSON.parse(told).binding_id])
    })
  })
})
