import express from 'express'
import { generateSigningKeys, getAccessToken, provisioningKeys } from 'express-provisioning-keys'

const { PORT = '3000', FLEET_SECRET } = process.env

export const origin = `http://localhost:${PORT}`

const keys = provisioningKeys({
  issuer: origin, // with http, this server accepts requests from this machine only
  audience: origin,
  signingKeys: generateSigningKeys(),
  policy: { scopes: ['provision:bind', 'provision:token', 'telemetry:write'] },
  clients: [{ clientId: 'fleet', clientSecret: FLEET_SECRET, policy: { subjects: ['device:*'] } }],
  observer: ({ type, severity }) => console.log(`  event   ${type} (${severity})`),
})

const app = express()
app.use(keys.router())
app.post('/telemetry', keys.requireAccessToken({ scope: 'telemetry:write' }), express.json(), (req, res) => {
  res.status(201).json({ from: getAccessToken(req).clientId, received: req.body })
})
app.use(keys.errorHandler())

export const server = app.listen(PORT, 'localhost', (error) => {
  if (!error) return
  console.error(`PORT: cannot listen on ${PORT} (${error.code}). Set PORT to another port.`)
  process.exit(1)
})
