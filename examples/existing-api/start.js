import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

const origin = `http://localhost:${process.env.PORT ?? 3000}`
const secret = () => randomBytes(32).toString('hex')
const secrets = { ADMIN_PASSWORD: secret(), INSTALLER_SECRET: secret(), SESSION_SECRET: secret() }
const table = {}

/** Starts one version of the API, sends it the same requests as the other, and fills its column of the table. */
async function tryOut(file) {
  const stdio = ['ignore', 'pipe', 'inherit']
  const api = spawn(process.execPath, [file], { env: { ...process.env, ...secrets }, stdio })
  let log = ''
  api.stdout.on('data', (chunk) => (log += chunk))
  while (api.exitCode === null && !(await fetch(origin).catch(() => undefined))) await sleep(50)

  const show = (row, value) => (table[row] = { ...table[row], [file]: value })
  const call = async (request, headers = {}, body = undefined, row = request) => {
    const [method, path] = request.split(' ')
    const response = await fetch(origin + path, { method, headers, body })
    show(row, response.status)
    return response
  }
  const json = { 'Content-Type': 'application/json' }
  const login = await call('POST /login', json, JSON.stringify({ password: secrets.ADMIN_PASSWORD }))
  const basic = { Authorization: `Basic ${btoa(`installer:${secrets.INSTALLER_SECRET}`)}` }
  const form = { grant_type: 'client_credentials', scope: 'devices:create', requested_subject: 'device:42' }
  const asked = await call('POST /oauth/token', basic, new URLSearchParams(form))
  const key = asked.ok ? (await asked.json()).access_token : undefined
  const headers = { ...json, Authorization: `Bearer ${key}` }
  const device = JSON.stringify({ name: 'boiler room' })
  await call('POST /devices', headers, device)
  await call('POST /devices', headers, device, 'POST /devices with the same key')
  await call('GET /devices', {}, undefined, 'GET /devices without the session')
  const cookie = login.headers.get('set-cookie').split(';')[0]
  show('devices in the list', (await (await call('GET /devices', { Cookie: cookie })).json()).length)
  await new Promise((resolve) => api.once('close', resolve).kill())
  const given = [...Object.values(secrets), basic.Authorization, cookie, key]
  const readable = given.filter((one) => one && log.includes(one))
  show('secrets in the log', readable.length)
}

for (const file of ['before.js', 'after.js']) await tryOut(file)
console.table(table)
