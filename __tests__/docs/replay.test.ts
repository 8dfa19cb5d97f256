import { randomBytes } from 'node:crypto'
import * as library from '../../lib/index.js'
import { eventsOf, PLACES, redeemed, withFamilies } from '../support/families.js'
import { REGISTERING } from '../support/registering.js'
import { obtainKey, send } from '../support/requests.js'
import { AUDIENCE, CLIENT, ISSUER } from '../support/server.js'
import { startApi } from '../support/split.js'
import { trustingFetch } from '../support/trusting-fetch.js'
import { codeUnder } from './markdown'
import { runCode } from './run-code'

/** The code under a heading of the page, run with some globals. */
function examples<T>(heading: string, globals: object = {}): T {
  return runCode<T>(codeUnder('docs/concepts/replay.md', heading), { globals })
}

/** The page reads them from the environment. */
for (const name of ['FLEET_SECRET', 'HOSPITAL_SECRET']) process.env[name] = randomBytes(32).toString('hex')

describe('docs/concepts/replay.md', () => {
  it('has options that are accepted', () => {
    const { keys } = examples<{ keys: library.ProvisioningKeys }>('Replay')
    expect(keys.revokeFamily).toBeInstanceOf(Function)
  })

  it('wakes somebody for the first replay, and for no more where all is gone', () =>
    withFamilies(async (server) => {
      const printed: string[] = []
      const console = { error: (line: string) => printed.push(line) }
      examples('Events', { keys: server.keys, console })
      const { key, keyId } = await redeemed(server, 'registration')
      for (let i = 0; i < 3; i++) await PLACES['a route that redeems'](server, key).expect(401)
      expect(printed).toEqual([
        expect.stringMatching(`^key ${keyId} of ${CLIENT} was replayed from .*127.0.0.1: revoked$`),
      ])
    }))

  it('ends at the issuer what an API with its store finds', () => {
    const store = library.memoryStore()
    return withFamilies(
      async (server) => {
        type Page = {
          handOnReplays: (
            verifier: library.ProvisioningKeyVerifier,
            send: (replayed: library.IssuedKeyRef) => Promise<unknown>,
          ) => () => void
          endFamily: (keys: library.ProvisioningKeys, replayed: library.IssuedKeyRef) => Promise<string>
        }
        const { handOnReplays, endFamily } = examples<Page>('If the API is another process')
        const jwks = `${server.origin}/oauth/jwks`
        const fetch = await trustingFetch(server.cert)
        const api = await startApi({
          issuer: ISSUER,
          audience: AUDIENCE,
          jwks,
          fetch,
          store,
          rateLimit: false,
        })
        try {
          const ended: Promise<string>[] = []
          handOnReplays(api.verifier, async (replayed) => ended.push(endFamily(server.keys, replayed)))
          const family = await redeemed(server, 'binding', { requested_subject: 'device:7' })
          await send(api, 'post', '/devices').auth(family.key, { type: 'bearer' }).expect(401)
          expect(await Promise.all(ended)).toEqual(['revoked'])
          expect(await family.alive()).toEqual([false])
          expect(eventsOf(server, 'family.revoked')).toHaveLength(1)
        } finally {
          await api.close()
        }
      },
      { store },
    )
  })

  it('has a client ask for a fresh key where somebody was first', () =>
    withFamilies(async (server) => {
      type Page = {
        registerOnce: (
          freshKey: () => Promise<string>,
          metadata: object,
          report: (text: string) => void,
        ) => Promise<{ client_id: string }>
      }
      const trusting = await trustingFetch(server.cert)
      const fetch = (url: string, init: RequestInit) => trusting(url.replace(ISSUER, server.origin), init)
      const { registerOnce } = examples<Page>('What an honest client does', { fetch })
      const stolen = await redeemed(server, 'registration')
      const reports: string[] = []
      const given = [stolen.key]
      const freshKey = async () => given.pop() ?? obtainKey(server, { scope: REGISTERING })
      const { client_id: clientId } = await registerOnce(freshKey, {}, (text) => reports.push(text))
      expect(clientId).not.toBe(stolen.clientId)
      expect(await stolen.alive()).toEqual([false, false])
      expect(reports).toHaveLength(1)
      const always = async () => stolen.key
      await expect(registerOnce(always, {}, () => undefined)).rejects.toThrow('two fresh keys were refused')
    }))
})
