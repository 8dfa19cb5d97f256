const { SERVER, PROVISIONING_KEY } = process.env

function exchangeKey() {
  return fetch(`${SERVER}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: PROVISIONING_KEY,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      scope: 'config:read',
    }),
  })
}

async function readConfig(token) {
  const response = await fetch(`${SERVER}/config`, { headers: { Authorization: `Bearer ${token}` } })
  console.log(`job      GET /config: ${response.status} ${await response.text()}`)
}

const exchanged = await exchangeKey()
if (!exchanged.ok) throw new Error(await exchanged.text())
const { access_token: token, expires_in: seconds, scope } = await exchanged.json()
console.log(`job      exchanged the key for an access token for "${scope}", good for ${seconds} seconds`)
await readConfig(token)

// A dependency of the build reads the environment, and tries the key too.
const stolen = await exchangeKey()
const { error, error_description } = await stolen.json()
console.log(`thief    exchanges the same key: ${stolen.status} ${error}. ${error_description}`)
await readConfig(token)
