import supertest from 'supertest'
import { ASSERTION_TYPE, type ClientKey, signAssertion } from '../support/client-assertion.js'
import { signProof } from '../support/proof.js'
import type { Demo } from './child.js'

/** The secret of the demo's own client. */
export const SECRET = 'a-secret-for-the-demo-of-today'

function originOf({ port }: Demo): string {
  return `https://localhost:${port}`
}

/** A request to the demo, without verifying its self-signed certificate. */
export function request(demo: Demo, method: 'get' | 'post' | 'delete', at: string) {
  return supertest(originOf(demo))[method](at).disableTLSCerts()
}

export function ask(demo: Demo, form: Record<string, string>, [id, secret] = ['demo-client', SECRET]) {
  const all = { grant_type: 'client_credentials', ...form }
  return request(demo, 'post', '/oauth/token')
    .auth(id ?? '', secret ?? '')
    .type('form')
    .send(all)
}

export async function keyFor(demo: Demo, form: Record<string, string>): Promise<string> {
  const { body } = await ask(demo, form).expect(200)
  return body.access_token
}

export async function register(demo: Demo) {
  const key = await keyFor(demo, { scope: 'provision:register provision:token config:read' })
  const { body } = await request(demo, 'post', '/oauth/register')
    .set('Authorization', `Bearer ${key}`)
    .send({ client_name: 'lamp', scope: 'provision:token config:read' })
    .expect(201)
  return body
}

export async function bind(demo: Demo, key: ClientKey, subject: string): Promise<void> {
  const token = await keyFor(demo, { scope: 'provision:bind', requested_subject: subject })
  const proof = signProof(key, { method: 'POST', url: `${originOf(demo)}/oauth/bind` }, { token })
  await request(demo, 'post', '/oauth/bind')
    .set({ Authorization: `Bearer ${token}`, DPoP: proof })
    .expect(201)
}

export function askSigned(demo: Demo, key: ClientKey, clientId: string) {
  const names = { clientId, audience: originOf(demo), now: Math.floor(Date.now() / 1000) }
  return request(demo, 'post', '/oauth/token')
    .type('form')
    .send({
      grant_type: 'client_credentials',
      scope: 'provision:bind',
      client_assertion: signAssertion(key, names),
      client_assertion_type: ASSERTION_TYPE,
    })
}
