/**
 * A client that enrolls a device with the package openid-client, as its users would write it. It has its own retries,
 * because the package has none.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import * as client from 'openid-client'

const { ISSUER = '', CLIENT_ID = '', CLIENT_SECRET, SUBJECT = '', SCOPE = '', STATE = '' } = process.env
const { DEADLINE } = process.env
const KEY_PAIR = { name: 'ECDSA', namedCurve: 'P-256' }
const MOST_FAILURES = 8
const end = Date.now() + Number(DEADLINE) * 1000

let lastAnswer

async function noteAnswer(...given) {
  lastAnswer = await fetch(...given)
  return lastAnswer
}

/** Repeats a request while its error can pass. */
async function repeat(send) {
  for (let failures = 0; ; failures += 1) {
    lastAnswer = undefined
    try {
      return await send()
    } catch (error) {
      const { status = 0, headers } = lastAnswer ?? {}
      const isPassing = [0, 408, 409, 425, 429].includes(status) || status >= 500
      if (
        !isPassing ||
        /CERT|SIGNED/.test(String(error.cause?.code ?? error.code)) ||
        failures === MOST_FAILURES
      )
        throw error
      const delay = Number(headers?.get('retry-after') ?? 0) * 1000 + Math.random() * 300 * 2 ** failures
      if (Date.now() + delay > end) throw error
      await sleep(delay)
    }
  }
}

function save(state) {
  writeFileSync(`${STATE}.next`, JSON.stringify(state), { mode: 0o600 })
  renameSync(`${STATE}.next`, STATE)
}

async function readKeyPair({ privateKey, publicKey }) {
  const load = (jwk, usage) => crypto.subtle.importKey('jwk', jwk, KEY_PAIR, true, [usage])
  return { privateKey: await load(privateKey, 'sign'), publicKey: await load(publicKey, 'verify') }
}

async function newKeyPair() {
  const pair = await client.randomDPoPKeyPair('ES256', { extractable: true })
  const [privateKey, publicKey] = await Promise.all(
    [pair.privateKey, pair.publicKey].map((key) => crypto.subtle.exportKey('jwk', key)),
  )
  return { privateKey, publicKey }
}

/** The package takes no clock, but a difference: it comes from the answer with the metadata. */
async function discover() {
  const isLocal = ISSUER.startsWith('http://localhost:')
  const options = {
    algorithm: 'oauth2',
    execute: isLocal ? [client.allowInsecureRequests] : [],
    timeout: 8,
    [client.customFetch]: noteAnswer,
  }
  const authentication = client.ClientSecretBasic(CLIENT_SECRET)
  const found = await repeat(() => client.discovery(new URL(ISSUER), CLIENT_ID, {}, authentication, options))
  const date = Date.parse(lastAnswer.headers.get('date') ?? '')
  const skew = Number.isNaN(date) ? 0 : Math.round((date - Date.now()) / 1000)
  const metadata = { [client.clockSkew]: skew }
  const config = new client.Configuration(found.serverMetadata(), CLIENT_ID, metadata, authentication)
  if (isLocal) client.allowInsecureRequests(config)
  config.timeout = options.timeout
  config[client.customFetch] = noteAnswer
  return config
}

async function enroll() {
  const saved = existsSync(STATE) ? JSON.parse(readFileSync(STATE, 'utf8')) : {}
  if (saved.clientId !== undefined) return saved.clientId
  const keys = saved.keys ?? (await newKeyPair())
  const config = await discover()
  const DPoP = client.getDPoPHandle(config, await readKeyPair(keys))
  const key = saved.key ?? (await askForKey(config, DPoP))
  save({ keys, key })
  const url = new URL(config.serverMetadata().provisioning_binding_endpoint)
  const answer = await repeat(() => bind(config, { url, key, DPoP }))
  save({ keys, clientId: answer.client_id })
  return answer.client_id
}

async function askForKey(config, DPoP) {
  const parameters = { scope: SCOPE, requested_subject: SUBJECT }
  const answer = await repeat(() => client.clientCredentialsGrant(config, parameters, { DPoP }))
  if (answer.token_type !== 'dpop') throw new Error('the issuer has not bound the key')
  return answer.access_token
}

async function bind(config, { url, key, DPoP }) {
  const response = await client.fetchProtectedResource(config, key, url, 'POST', undefined, undefined, {
    DPoP,
  })
  const answer = await response.json().catch(() => undefined)
  if (typeof answer?.client_id === 'string') return answer
  throw new Error(`the issuer answered ${response.status} without a client_id`)
}

enroll().then(
  (clientId) => console.log(`enrolled as ${clientId}`),
  (error) => {
    console.error(`error: ${error.message} ${error.error ?? ''} ${error.cause?.error ?? ''}`)
    process.exitCode = 1
  },
)
