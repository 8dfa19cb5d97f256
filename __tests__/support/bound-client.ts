import { ASSERTION_TYPE, type ClientKey, signAssertion } from './client-assertion.js'
import { signProof } from './proof.js'
import { obtainKey, postForm, send } from './requests.js'
import { ISSUER, type RunningServer } from './server.js'

/** Binds the key of a DPoP proof, without a body. */
export async function bindByProof(server: RunningServer, key: ClientKey, form: Record<string, string> = {}) {
  const token = await obtainKey(server, { scope: 'provision:bind', ...form })
  const proof = signProof(key, { method: 'POST', url: `${ISSUER}/oauth/bind` }, { token })
  return send(server, 'post', '/oauth/bind').set({ Authorization: `Bearer ${token}`, DPoP: proof })
}

/** Sends a form as a client that authenticates with its own key. */
export function postSigned(
  server: RunningServer,
  path: string,
  { key, clientId }: { readonly key: ClientKey; readonly clientId: string },
  form: Record<string, string> = {},
) {
  const names = { clientId, audience: ISSUER, now: Math.floor(Date.now() / 1000) }
  const assertion = { client_assertion: signAssertion(key, names), client_assertion_type: ASSERTION_TYPE }
  return postForm(server, path, { ...assertion, ...form })
}

/** Asks for a key by `private_key_jwt`. */
export function askSigned(server: RunningServer, key: ClientKey, clientId: string) {
  const form = { grant_type: 'client_credentials', scope: 'provision:bind' }
  return postSigned(server, '/oauth/token', { key, clientId }, form)
}
