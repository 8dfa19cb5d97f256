import { generateKeyPair, generateProof } from 'dpop'
import * as oauth from 'oauth4webapi'

const { SERVER, PROVISIONING_KEY } = process.env
const say = (text) => console.log(`device    ${text}`)

// A real device keeps its private key in a TPM, or in a file that only it can read.
const keyPair = await generateKeyPair('ES256')
const DPoP = oauth.DPoP({}, keyPair)
const options = { DPoP, [oauth.allowInsecureRequests]: true } // allows http://localhost
say(`made an ES256 key pair with the thumbprint ${await DPoP.calculateThumbprint()}`)

const issuer = new URL(SERVER)
const metadata = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options })
const server = await oauth.processDiscoveryResponse(issuer, metadata)

// The provisioning key is redeemed once: the public key of the DPoP proof becomes the device's credential.
const endpoint = server.provisioning_binding_endpoint
const proof = await generateProof(keyPair, endpoint, 'POST', undefined, PROVISIONING_KEY)
const headers = { Authorization: `Bearer ${PROVISIONING_KEY}`, DPoP: proof }
const bound = await fetch(endpoint, { method: 'POST', headers })
if (bound.status !== 201) throw new Error(await bound.text())
const client = await bound.json()
say(`bound its public key, and is the client ${client.client_id} now`)

// From now on the device needs no secret: it signs with its private key.
const authentication = oauth.PrivateKeyJwt(keyPair.privateKey)
const scope = new URLSearchParams({ scope: 'provision:token telemetry:write' })
const answer = await oauth.clientCredentialsGrantRequest(server, client, authentication, scope, options)
const { access_token: key } = await oauth.processClientCredentialsResponse(server, client, answer)
say('authenticated with private_key_jwt, and has the next key')

const grant = 'urn:ietf:params:oauth:grant-type:token-exchange'
const subject_token_type = 'urn:ietf:params:oauth:token-type:jwt'
const form = { subject_token: key, subject_token_type, scope: 'telemetry:write' }
const exchanged = await oauth.genericTokenEndpointRequest(
  server,
  client,
  authentication,
  grant,
  form,
  options,
)
const token = await oauth.processGenericTokenEndpointResponse(server, client, exchanged)
say(`exchanged that for an access token for "${token.scope}", good for ${token.expires_in} seconds`)

const url = new URL('/telemetry', issuer)
const body = JSON.stringify({ celsius: 21.5 })
const json = new Headers({ 'Content-Type': 'application/json' })
const sent = await oauth.protectedResourceRequest(token.access_token, 'POST', url, json, body, options)
say(`POST /telemetry: ${sent.status} ${await sent.text()}`)
