import { provision } from 'express-provisioning-keys/client'
import { fileState, secretFromEnvironment } from 'express-provisioning-keys/client/node'

const { SERVER, STATE } = process.env
const say = (text) => console.log(`device    ${text}`)

// The provisioning key is redeemed once: a new public key becomes the device's credential. A real device keeps its private
// key in a TPM, or in a file that only it can read, like this one.
const device = await provision({
  issuer: SERVER,
  action: 'bind',
  key: secretFromEnvironment('PROVISIONING_KEY'),
  scope: 'telemetry:write',
  state: fileState(STATE),
  onProgress: ({ type }) => type === 'state.found' && say('starts again, and needs no key'),
})
say(`is the client ${device.clientId}, and signs with its own private key`)

// From now on the device needs no secret: it signs with its private key.
const body = JSON.stringify({ celsius: 21.5 })
const headers = { 'Content-Type': 'application/json' }
const sent = await device.fetch(`${SERVER}/telemetry`, { method: 'POST', headers, body })
say(`POST /telemetry: ${sent.status} ${await sent.text()}`)
