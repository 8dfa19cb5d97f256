import express from 'express'
import { generateSigningKeys, getAccessToken, provisioningKeys } from 'express-provisioning-keys'

const { PORT = '3000', CI_SECRET } = process.env

export const origin = `http://localhost:${PORT}`

const keys = provisioningKeys({
  issuer: origin, // with http, this server accepts requests from this machine only
  audience: origin,
  signingKeys: generateSigningKeys(),
  policy: {
    scopes: ['provision:token', 'config:read'],
    lifetimeSeconds: 60, // of a key: the time until a job starts
    accessTokenLifetimeSeconds: 120, // of an access token: the time that a job takes
  },
  clients: [{ clientId: 'ci', clientSecret: CI_SECRET, policy: { subjects: ['runner:*'] } }],
  observer: ({ type, severity }) => console.log(`  event  ${type} (${severity})`),
})

const app = express()
app.use(keys.router())
app.get('/config', keys.requireAccessToken({ scope: 'config:read' }), (req, res) => {
  res.json({ for: getAccessToken(req).clientId, region: 'eu-1' })
})
app.use(keys.errorHandler())

export const server = app.listen(PORT, 'localhost', (error) => {
  if (!error) return
  console.error(`PORT: cannot listen on ${PORT} (${error.code}). Set PORT to another port.`)
  process.exit(1)
})
