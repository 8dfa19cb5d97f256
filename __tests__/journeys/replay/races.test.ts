import { hashSecret, memoryStore } from '../../../lib/index.js'
import { memoryClientRegistry } from '../../../lib/stores/memory/memory-clients.js'
import {
  EVERYTHING,
  eventsOf,
  KINDS,
  type Kind,
  PLACES,
  type Place,
  withFamilies,
} from '../../support/families.js'
import { decodeJwt } from '../../support/forge.js'
import { obtainKey } from '../../support/requests.js'
import { times } from '../../support/scale.js'
import { CLIENT, type RunningServer, SECRET } from '../../support/server.js'

const ROUNDS = times({ all: 50, few: 12 })
const places = Object.keys(PLACES) as Place[]

/** A store with random network delays. */
function farAway() {
  const store = memoryStore()
  const pause = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 8))
  const late =
    <A extends unknown[], R>(verb: (...args: A) => Promise<R>) =>
    async (...args: A) => {
      await pause()
      const answer = await verb(...args)
      await pause()
      return answer
    }
  const { find, redeem, settle, revokeFamily } = store
  return {
    ...store,
    find: late(find),
    redeem: late(redeem),
    settle: late(settle),
    revokeFamily: late(revokeFamily),
  }
}

function registry() {
  const policy = { scopes: EVERYTHING.split(' '), subjects: ['device:*'] }
  const secretHash = hashSecret(SECRET)
  const authenticationMethods = ['client_secret_basic'] as const
  return memoryClientRegistry([{ clientId: CLIENT, revision: 1, secretHash, authenticationMethods, policy }])
}

/** One redemption, and replays at random times. Returns the reasons of refusals, and whether the key is contained. */
async function round(server: RunningServer, kind: Kind, number: number) {
  const key = await obtainKey(server, { scope: EVERYTHING, requested_subject: `device:${number}` })
  const redeeming = KINDS[kind](server, key)
  const replays = [4, 20, 45].map(async (milliseconds, i) => {
    await new Promise((resolve) => setTimeout(resolve, milliseconds * Math.random()))
    return PLACES[places[(number + i) % places.length] ?? 'a route that redeems'](server, key)
  })
  const [family] = await Promise.all([redeeming, ...replays])
  const keyId = String(decodeJwt(key).payload.jti)
  const told = eventsOf(server, 'request.refused').filter((event) => event.keyId === keyId)
  const reasons = new Set<string>(told.map(({ reason }) => reason))
  const isContained = eventsOf(server, 'key.replayed').some((event) => event.keyId === keyId)
  return { family, keyId, reasons, isContained }
}

describe('replays that meet the redemption', () => {
  test.concurrent.each(Object.keys(KINDS) as Kind[])(
    'end a %s if they came after it, and are only refused if they came before',
    (kind) => {
      const store = farAway()
      const clients = registry()
      return withFamilies(
        async (server) => {
          let contained = 0
          for (let number = 0; number < ROUNDS; number++) {
            const { family, keyId, reasons, isContained } = await round(server, kind, number)
            expect(isContained).toBe(reasons.has('key_redeemed'))
            if (isContained) contained += 1
            // If another request was first, the family belongs to that one.
            if (family.answer.status <= 201) {
              expect(new Set(await family.alive())).toEqual(new Set([!isContained]))
            }
            // Nothing remains of other results of the key either.
            if (!isContained) continue
            expect(await store.find({ clientId: CLIENT, jti: keyId })).toMatchObject({ familyRevoked: true })
            expect(await clients.find(`device:${number}`)).toBeUndefined()
          }
          // At least one replay came after its redemption.
          expect(contained).toBeGreaterThan(0)
          const unreached = eventsOf(server, 'key.replayed').filter((one) => one.family?.fate === 'unreached')
          expect(unreached).toEqual([])
          expect(eventsOf(server, 'request.refused').map(({ status }) => status)).not.toContain(500)
        },
        { store, clients },
      )
    },
    120_000,
  )
})
