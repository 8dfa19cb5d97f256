import { setTimeout as pause } from 'node:timers/promises'
import { forgeKey, signBare } from '../forge.js'
import { askForKey, exchangeKey, obtainKey } from '../requests.js'
import { type Case, present, READ } from './case.js'

const nowSeconds = () => Math.floor(Date.now() / 1000)

/** A key that claims to be new, signed with a stolen signing key that is retired. */
function forgedLater(genuine: string): string {
  const iat = nowSeconds()
  return forgeKey(genuine, { claims: { iat, nbf: iat, exp: iat + 60 }, sign: signBare })
}

export const ROTATION_CASES: Case[] = [
  {
    title: 'a key that a retired signing key has signed since',
    reason: 'signing_key_retired',
    status: 401,
    error: 'invalid_token',
    description: /^The provisioning key is not accepted\.$/,
    options: { clockToleranceSeconds: 0 },
    act: async (server) => {
      const key = await obtainKey(server, READ)
      await server.keys.rotateSigningKey()
      const rotatedIn = nowSeconds()
      while (nowSeconds() <= rotatedIn) await pause(20)
      await present(server, key).expect(200)
      return present(server, forgedLater(key))
    },
  },
  {
    title: 'a key whose signing key has been removed',
    reason: 'signing_key_unknown',
    status: 401,
    error: 'invalid_token',
    act: async (server) => {
      const key = await obtainKey(server, READ)
      const { retired } = await server.keys.rotateSigningKey()
      await present(server, key).expect(200)
      await server.keys.removeSigningKey(retired.kid)
      return present(server, key)
    },
  },
  {
    title: 'a key of before an emergency',
    reason: 'key_revoked',
    status: 401,
    error: 'invalid_token',
    act: async (server) => {
      const key = await obtainKey(server, READ)
      await server.keys.revokeAllIssuedBefore(new Date())
      return present(server, key)
    },
  },
  {
    title: 'the exchange of a key of before an emergency',
    reason: 'key_revoked',
    status: 400,
    error: 'invalid_request',
    act: async (server) => {
      const key = await obtainKey(server)
      await server.keys.revokeAllIssuedBefore(new Date())
      return exchangeKey(server, key)
    },
  },
  {
    title: 'a request for a key while all that are issued are revoked',
    reason: 'issuance_suspended',
    status: 503,
    error: 'temporarily_unavailable',
    headers: { 'retry-after': /^6$/ },
    description: /ask again after Retry-After/,
    act: async (server) => {
      await server.keys.revokeAllIssuedBefore(new Date())
      return askForKey(server)
    },
  },
]
