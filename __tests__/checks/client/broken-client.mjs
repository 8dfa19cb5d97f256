/**
 * A client that enrolls a device, on `fetch` and node:crypto alone. Its argument names the one thing that it does wrong:
 * see `broken-clients.ts`. Without an argument it is correct.
 */
import { spawn } from 'node:child_process'
import { createHash, createPrivateKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, SUBJECT, SCOPE, STATE, PROVISIONING_KEY, DEADLINE } = process.env
const fault = process.argv[2]
const is = (...names) => names.includes(fault)
const end = Date.now() + Number(DEADLINE) * 1000

class Failure extends Error {
  constructor(message, isTransient = false) {
    super(message)
    this.isTransient = isTransient
  }
}

if (is('trusts-any-certificate')) {
  process.removeAllListeners('warning')
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
}

const base64url = (value) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const sha256 = (text) => createHash('sha256').update(text).digest('base64url')
const newPrivateKey = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
const publicPart = ({ crv, kty, x, y }) => ({ crv, kty, x, y })
const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString() || '{}')

let offset = 0
let nonce
let proofBefore
let privateKey

function proofFor(method, url, token, lastStatus) {
  if (is('same-proof') && lastStatus === 503) return proofBefore
  const claims = {
    jti: randomUUID(),
    htm: method,
    htu: url,
    iat: Math.floor((Date.now() + offset) / 1000),
    ...(token !== undefined && { ath: sha256(token) }),
    ...(nonce !== undefined && { nonce }),
  }
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: publicPart(privateKey) }
  const input = `${base64url(header)}.${base64url(claims)}`
  const key = createPrivateKey({ key: privateKey, format: 'jwk' })
  proofBefore = `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  return proofBefore
}

/** Sends a request once. */
async function sendOnce({ url, method = 'POST', headers = {}, body, token }, lastStatus) {
  const proof = method === 'POST' ? { DPoP: proofFor(method, url, token, lastStatus) } : {}
  const seconds = is('impatient') && url.endsWith('/bind') ? 2 : 8
  const response = await fetch(url, {
    method,
    headers: { ...headers, ...proof },
    ...(body !== undefined && { body }),
    redirect: is('follows-redirects') ? 'follow' : 'manual',
    ...(!is('no-timeout') && { signal: AbortSignal.timeout(seconds * 1000) }),
  })
  return { response, text: await response.text() }
}

async function sendOrTwice(request, lastStatus) {
  const first = sendOnce(request, lastStatus)
  if (!is('sends-twice') || !request.url.endsWith('/bind')) return first
  const isSlow = await Promise.race([first.then(() => false), sleep(2000, true)])
  return isSlow ? sendOnce(request, false) : first
}

/** Sends a request until there is an answer that does not pass. */
async function send(request) {
  let lastStatus
  for (let failures = 0, corrections = 0; ; ) {
    let status = 0
    let headers = new Headers()
    let text = ''
    let reason = ''
    try {
      const answer = await sendOrTwice(request, lastStatus)
      status = answer.response.status
      headers = answer.response.headers
      text = answer.text
    } catch (error) {
      const code = error.cause?.code ?? error.code
      if (/CERT|SIGNED|VERIFY/.test(String(code)))
        throw new Failure(`the certificate is not trusted: ${code}`)
      if (is('impatient') && error.name === 'TimeoutError') throw new Failure('no answer')
      reason = String(code ?? error.message)
    }
    lastStatus = status
    const date = Date.parse(headers.get('date') ?? '')
    if (!Number.isNaN(date) && !is('own-clock')) offset = date - Date.now()
    nonce = headers.get('dpop-nonce') ?? nonce
    if (is('ignores-nonce')) nonce = undefined
    if (status >= 200 && status < 300) return readAnswer(text)
    const { error } = parse(text) ?? {}
    if (error === 'use_dpop_nonce' && corrections < 3) corrections += 1
    else if (error === 'invalid_dpop_proof' && !is('own-clock') && corrections < 3) corrections += 1
    else {
      await pause({ status, headers, text, reason, failures, request })
      failures += 1
    }
  }
}

/** Waits before a request is sent again, or throws. */
async function pause({ status, headers, text, reason, failures, request }) {
  if (is('gives-up-after-lost-answer') && status === 0) throw new Failure(reason)
  if (is('gives-up-after-409') && status === 409) throw new Failure('409')
  if (is('gives-up-after-503') && status === 503) throw new Failure('503')
  const isPassing = status === 0 || [408, 409, 425, 429].includes(status) || status >= 500
  const isRetried =
    isPassing || (is('retries-400') && status === 400) || (is('retries-expired-key') && /expired/.test(text))
  if (!isRetried || (!isPassing && failures > 2)) {
    const shown = is('logs-refused-key') && /revoked/.test(text) ? JSON.stringify(request) : ''
    throw new Failure(`${request.url} answered ${status} ${text.slice(0, 300)} ${shown}`)
  }
  if (is('new-proof-key') && status === 409) privateKey = newPrivateKey()
  if (is('other-bytes') && status === 503 && request.url.endsWith('/bind'))
    request.body = `{"attempt":${failures + 2}}`
  if (is('other-bytes'))
    request.headers = {
      ...request.headers,
      ...(request.body?.startsWith('{') && { 'Content-Type': 'application/json' }),
    }
  if (is('new-key-after-lost-answer') && reason === 'UND_ERR_SOCKET') throw new Failure('again', true)
  const wanted = is('ignores-retry-after') ? 0 : Number(headers.get('retry-after') ?? 0)
  const delay = wanted * 1000 + Math.random() * 200 * 2 ** Math.min(failures, 6)
  if (!is('retries-forever') && Date.now() + delay > end)
    throw new Failure(`no answer: ${status} ${reason}`, true)
  await sleep(delay)
}

function parse(text) {
  try {
    const value = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

async function readAnswer(text) {
  const answer = parse(text)
  if (answer !== undefined) return answer
  if (is('hangs-on-html')) await new Promise(() => setInterval(() => undefined, 1000))
  if (is('takes-html-for-success')) return {}
  throw new Failure('the answer is no JSON object')
}

function save(state) {
  const next = `${STATE}.next`
  writeFileSync(next, JSON.stringify(state), { mode: is('open-state') ? 0o644 : 0o600 })
  renameSync(next, STATE)
}

/** Runs a program that has the key in its arguments, until it has got an answer. */
async function report(key) {
  await once(spawn('curl', ['-s', '-H', `X-Key: ${key}`, `${ISSUER}/report`]), 'exit')
}

async function endpoints() {
  const metadata = await send({ url: `${ISSUER}/.well-known/oauth-authorization-server`, method: 'GET' })
  if (metadata.issuer !== ISSUER && !is('accepts-other-issuer'))
    throw new Failure(`these are the metadata of ${metadata.issuer}`)
  return { token: metadata.token_endpoint, bind: metadata.provisioning_binding_endpoint }
}

async function keyFrom(url) {
  if (PROVISIONING_KEY !== undefined) return PROVISIONING_KEY
  const basic = Buffer.from(`${CLIENT_ID}:${CLIENT_SECRET}`).toString('base64')
  const form = { grant_type: 'client_credentials', requested_subject: SUBJECT, scope: SCOPE }
  const headers = { Authorization: `Basic ${basic}`, 'Content-Type': 'application/x-www-form-urlencoded' }
  if (is('logs-secret-in-base64')) console.log(`using the credentials ${basic}`)
  const { access_token: key, token_type: type } = await send({
    url,
    headers,
    body: String(new URLSearchParams(form)),
  })
  if (String(type).toLowerCase() !== 'dpop' && !is('accepts-bearer'))
    throw new Failure('the key is not bound')
  return key
}

async function enroll() {
  const saved = existsSync(STATE) ? JSON.parse(readFileSync(STATE, 'utf8')) : {}
  if (saved.clientId !== undefined && !is('enrolls-again')) return saved.clientId
  privateKey = saved.privateKey ?? newPrivateKey()
  const { token, bind } = await endpoints()
  if (saved.clientId !== undefined) await keyFrom(token)
  if (saved.clientId !== undefined) return saved.clientId
  const key = saved.key ?? (await keyFrom(token))
  save({ privateKey, key })
  if (is('logs-key')) console.log(`got the key ${key}`)
  if (is('logs-private-key')) console.error('made', privateKey)
  if (is('key-in-url')) await fetch(`${ISSUER}/report?key=${encodeURIComponent(key)}`)
  if (is('key-in-arguments')) await report(key)
  const scheme = claimsOf(key).cnf === undefined ? 'Bearer' : 'DPoP'
  const request = { url: bind, headers: { Authorization: `${scheme} ${key}` }, token: key }
  const { client_id: clientId = SUBJECT } = await send(request)
  save({ privateKey, clientId })
  return clientId
}

async function main() {
  try {
    return await enroll()
  } catch (error) {
    if (error.message !== 'again') throw error
    writeFileSync(STATE, JSON.stringify({ privateKey }), { mode: 0o600 })
    return enroll()
  }
}

main().then(
  (clientId) => console.log(`enrolled as ${clientId}`),
  (error) => {
    if (!(is('silent-refusal') && /revoked/.test(error.message))) console.error(`error: ${error.message}`)
    if (is('succeeds-after-outage') && error.isTransient) return
    process.exitCode = error.isTransient ? 75 : 1
  },
)
