import { randomBytes } from 'node:crypto'
import type { Express } from 'express'
import supertest from 'supertest'
import type * as library from '../../lib/index.js'
import { codeIn, codeUnder, interfaceMembers, tableRows } from './markdown'
import { runCode } from './run-code'

const PAGE = 'docs/guides/access-tokens.md'
const AUTHORIZATION_SERVER = 'docs/guides/authorization-server.md'
const FROM_PROXY = { 'X-Forwarded-Proto': 'https' }
/** The page reads it from the environment. */
const SECRET = randomBytes(32).toString('hex')
process.env['RUNNER_SECRET'] = SECRET

/** The exports of the program on a page. */
interface Program {
  readonly app: Express
  readonly keys: library.ProvisioningKeys
}

function post(app: Express, form: Record<string, string>) {
  return supertest(app).post('/oauth/token').set(FROM_PROXY).type('form').send(form)
}

async function obtainKey(app: Express): Promise<string> {
  const form = { grant_type: 'client_credentials', scope: 'provision:token config:read' }
  const { body } = await post(app, form).auth('ci-runner', SECRET).expect(200)
  return body.access_token
}

function exchange(app: Express, key: string) {
  return post(app, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: key,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    scope: 'config:read',
  })
}

describe(PAGE, () => {
  it('guards an API with the token that a key was exchanged for', async () => {
    const { app } = runCode<Program>(codeUnder(PAGE, 'Guard an API'))
    const key = await obtainKey(app)
    const { body } = await exchange(app, key).expect(200)
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 600, scope: 'config:read' })
    const call = () =>
      supertest(app)
        .get('/config')
        .set({ ...FROM_PROXY, Authorization: `Bearer ${body.access_token}` })
    await call().expect(200, { for: 'ci-runner' })
    await exchange(app, key).expect(400)
    await call().expect(401, /The access token is not accepted/)
  })

  it('has an authorization server issue tokens, and take them back after a replay', async () => {
    const asked: unknown[] = []
    const answers = [
      new Response('{}', { status: 502 }),
      Response.json({ access_token: 'opaque', expires_in: 60 }),
    ]
    const fetch = async (url: string, { method, body }: RequestInit) => {
      asked.push([method, url, body === undefined ? undefined : JSON.parse(String(body))])
      return answers.shift()
    }
    const { keys } = runCode<Program>(codeUnder(AUTHORIZATION_SERVER, 'Your own authorization server'), {
      globals: { fetch },
    })
    const express: typeof import('express') = require('express')
    const app = express().set('trust proxy', 'loopback').use(keys.router())
    const key = await obtainKey(app)
    await exchange(app, key).expect(503)
    const { body } = await exchange(app, key).expect(200)
    expect(body).toMatchObject({ access_token: 'opaque', token_type: 'Bearer', expires_in: 60 })
    await exchange(app, key).expect(400)
    const wanted = { client_id: 'ci-runner', scope: 'config:read', audience: 'https://api.example.com' }
    const { jti } = JSON.parse(Buffer.from(key.split('.')[1] ?? '', 'base64url').toString())
    const ask = [
      'POST',
      'https://as.example.com/internal/tokens',
      { ...wanted, provisioning_key: jti, lifetime: 600 },
    ]
    expect(asked).toEqual([ask, ask, ['DELETE', `https://as.example.com/internal/tokens/${jti}`, undefined]])
  })

  it('names every member of req.accessToken, of the identity, and of the answer', () => {
    const named = (page: string, heading: string) =>
      tableRows(page, heading).flatMap(([first = '']) => codeIn(first))
    const members = interfaceMembers('lib/http/identities.ts', 'AccessTokenInfo')
    expect(named(PAGE, 'Checks').sort()).toEqual(members.sort())
    const identity = interfaceMembers('lib/ports/access-token-identity.ts', 'AccessTokenIdentity')
    expect(named(AUTHORIZATION_SERVER, 'What your function gets').sort()).toEqual(identity.sort())
    const answer = interfaceMembers('lib/ports/access-token-identity.ts', 'IssuedAccessToken')
    const returned = tableRows(AUTHORIZATION_SERVER, 'What your function returns').filter(([first]) =>
      first?.startsWith('`'),
    )
    expect(returned.flatMap(([first = '']) => codeIn(first)).sort()).toEqual(answer.sort())
  })
})
