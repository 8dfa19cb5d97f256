import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'

process.env.CI_SECRET ??= randomBytes(32).toString('hex')
const { origin, server } = await import('./server.js')
await once(server, 'listening')
console.log(`server   listens at ${origin}`)

// The CI system asks for a key in the name of the job.
const { CI_SECRET, ...env } = process.env
const asked = await fetch(`${origin}/oauth/token`, {
  method: 'POST',
  headers: { Authorization: `Basic ${btoa(`ci:${CI_SECRET}`)}` },
  body: new URLSearchParams({
    grant_type: 'client_credentials',
    scope: 'provision:token config:read',
    requested_subject: 'runner:1042',
  }),
})
const { access_token: key, expires_in: seconds } = await asked.json()
console.log(
  `ci       starts runner:1042 with a provisioning key that is good for one use within ${seconds} seconds`,
)

// The job gets the key, and not the secret of the CI system.
const job = spawn(process.execPath, ['job.js'], {
  env: { ...env, SERVER: origin, PROVISIONING_KEY: key },
  stdio: 'inherit',
})
;[process.exitCode] = await once(job, 'exit')
server.close()
