import { provision } from 'express-provisioning-keys/client'

const { SERVER, PROVISIONING_KEY } = process.env

const job = await provision({ issuer: SERVER, action: 'token', key: PROVISIONING_KEY, scope: 'config:read' })
const { scope, expires_in: seconds } = job.answer
console.log(`job      exchanged the key for an access token for "${scope}", good for ${seconds} seconds`)

async function readConfig() {
  const response = await job.fetch(`${SERVER}/config`)
  console.log(`job      GET /config: ${response.status} ${await response.text()}`)
}

await readConfig()

// A dependency of the build reads the environment, and tries the key too.
const stolen = await fetch(`${SERVER}/oauth/token`, {
  method: 'POST',
  body: new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: PROVISIONING_KEY,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  }),
})
const { error, error_description } = await stolen.json()
console.log(`thief    exchanges the same key: ${stolen.status} ${error}. ${error_description}`)
await readConfig()
