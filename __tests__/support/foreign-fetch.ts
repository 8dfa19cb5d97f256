import { request } from 'node:https'
import type { CustomFetch } from 'openid-client'

/**
 * A `fetch` for OAuth clients of others. It trusts the certificate of a test server.
 *
 * @param client the certificate that it shows on request
 */
export function fetchTrusting(
  cert: string,
  client?: { readonly cert: string; readonly key: string },
): CustomFetch {
  return async (url, init) => {
    const asked = new Request(url, init as RequestInit)
    const body = asked.body === null ? undefined : Buffer.from(await asked.arrayBuffer())
    const options = {
      method: asked.method,
      headers: Object.fromEntries(asked.headers),
      ca: cert,
      agent: false,
      ...(client && { cert: client.cert, key: client.key }),
    } as const
    return new Promise((resolve, reject) => {
      const sent = request(asked.url, options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const status = response.statusCode ?? 0
          const headers = Object.entries(response.headersDistinct).flatMap(([name, values]) =>
            (values ?? []).map((value): [string, string] => [name, value]),
          )
          resolve(new Response(status === 204 ? null : Buffer.concat(chunks), { status, headers }))
        })
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }
}
