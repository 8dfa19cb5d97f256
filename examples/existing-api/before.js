import cors from 'cors'
import express from 'express'
import session from 'express-session'
import helmet from 'helmet'
import { pinoHttp } from 'pino-http'

const { PORT = '3000', ADMIN_PASSWORD, SESSION_SECRET } = process.env
const devices = []
const redact = ['req.headers.cookie', 'res.headers["set-cookie"]']
const log = pinoHttp({ redact })

const app = express()
app.use(log)
app.use(helmet())
app.use(cors({ origin: 'https://console.example.com', credentials: true }))
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
app.listen(PORT, 'localhost')
