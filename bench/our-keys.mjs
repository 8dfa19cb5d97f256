import { generateKeyPairSync } from 'node:crypto'
import { memoryStore, provisioningKeys } from 'express-provisioning-keys'

export const ORIGIN = 'https://api.example.com'
export const SECRET = 'bench-secret-0123456789abcdef0123456789'

/** Our middlewares, with ES256, a store in memory, no rate limits of their own, and one observer. `more` are options. */
export function ourKeys(scopes, more) {
  return provisioningKeys({
    issuer: ORIGIN,
    audience: ORIGIN,
    signingKeys: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
    rateLimit: false,
    clients: [
      {
        clientId: 'bench',
        clientSecret: SECRET,
        policy: { scopes, defaultScopes: ['read'], outstandingKeys: 1_000_000 },
      },
    ],
    store: memoryStore({ maxKeys: 10_000_000, maxProofsPerKey: 100_000, maxProofsPerClient: 100_000 }),
    observer: () => undefined,
    ...more,
  })
}

/** The request for a key. */
export const issue = {
  path: '/oauth/token',
  status: 200,
  headers: () => ({
    Authorization: `Basic ${Buffer.from(`bench:${SECRET}`).toString('base64')}`,
    'Content-Type': 'application/x-www-form-urlencoded',
  }),
  body: () => 'grant_type=client_credentials&scope=read',
}

/** Makes the preparation of a round that issues a key for each of its requests. */
export function keysFor(scope) {
  const body = () => `grant_type=client_credentials&requested_expiry=900&scope=${encodeURIComponent(scope)}`
  return async (send) => (await send({ ...issue, body })).map(({ text }) => JSON.parse(text).access_token)
}
