import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

process.env.FLEET_SECRET ??= randomBytes(32).toString('hex')
const { origin, server } = await import('./server.js')
await once(server, 'listening')
console.log(`server    listens at ${origin} (with plain HTTP, so the warning above is normal)`)

// The fleet operator asks for a key in the name of the device.
const asked = await fetch(`${origin}/oauth/token`, {
  method: 'POST',
  headers: { Authorization: `Basic ${btoa(`fleet:${process.env.FLEET_SECRET}`)}` },
  body: new URLSearchParams({
    grant_type: 'client_credentials',
    scope: 'provision:bind provision:token telemetry:write',
    requested_subject: 'device:42',
  }),
})
const { access_token: key, expires_in: seconds } = await asked.json()
console.log(`operator  has a provisioning key for device:42, good for one use within ${seconds} seconds`)

// The device is a process of its own, and gets nothing but the key and the address of the server. It starts twice.
const { FLEET_SECRET, ...env } = process.env
const folder = mkdtempSync(join(tmpdir(), 'device-'))
const settings = { ...env, SERVER: origin, STATE: join(folder, 'device.json') }
async function startDevice(more) {
  const device = spawn(process.execPath, ['device.js'], { env: { ...settings, ...more }, stdio: 'inherit' })
  const [code] = await once(device, 'exit')
  return code
}
const codes = [await startDevice({ PROVISIONING_KEY: key }), await startDevice({})]
rmSync(folder, { recursive: true })

// Somebody has copied the key, and tries it too.
const headers = { Authorization: `Bearer ${key}` }
const stolen = await fetch(`${origin}/oauth/bind`, { method: 'POST', headers })
const { error, error_description } = await stolen.json()
console.log(`thief     presents a copy of the key: ${stolen.status} ${error}. ${error_description}`)
console.log('server    cannot know who was first, the device or the thief, so device:42 must enroll again')
console.log('The example ends here, as it should: the stolen key is worth nothing.')

server.close()
process.exitCode = codes.every((code) => code === 0) && stolen.status === 401 ? 0 : 1
