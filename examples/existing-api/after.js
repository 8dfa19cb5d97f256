import cors from 'cors'
import express from 'express'
import { generateSigningKeys, provisioningKeys } from 'express-provisioning-keys'
import session from 'express-session'
import helmet from 'helmet'
import { pinoHttp } from 'pino-http'

const { PORT = '3000', ADMIN_PASSWORD, INSTALLER_SECRET, SESSION_SECRET } = process.env
const devices = []
const redact = ['req.headers.cookie', 'res.headers["set-cookie"]']
const log = pinoHttp({ redact: [...redact, 'req.headers.authorization', 'req.headers.dpop'] })

const origin = `http://localhost:${PORT}`
const keys = provisioningKeys({
  issuer: origin,
  audience: origin,
  signingKeys: generateSigningKeys(),
  policy: { scopes: ['devices:create'] },
  clients: [{ clientId: 'installer', clientSecret: INSTALLER_SECRET, policy: { subjects: ['device:*'] } }],
  observer: (event) => log.logger.info(event),
})

const app = express()
app.use(log)
app.use(helmet())
app.use(cors({ origin: 'https://console.example.com', credentials: true }))
app.use(keys.router())
app.use(express.json())
app.use(session({ secret: SESSION_SECRET, resave: false, saveUninitialized: false }))

app.post('/login', (req, res) => {
  req.session.isAdmin = req.body.password === ADMIN_PASSWORD
  res.sendStatus(req.session.isAdmin ? 204 : 401)
})
app.get('/devices', (req, res) => {
  if (req.session.isAdmin) res.json(devices)
  else res.sendStatus(401)
})
app.post(
  '/devices',
  keys.redeemProvisioningKey({ scope: 'devices:create' }, (req, { subject }) => {
    const device = { id: subject, name: req.body.name }
    devices.push(device)
    return { status: 201, body: device }
  }),
)
app.use(keys.errorHandler())
app.listen(PORT, 'localhost')
