import type { Call } from '../requests/step'
import { shellQuote } from '../shell-quote'

/** The curl command that sends a call through a port of this machine. */
export function curlCommand(call: Call, port: number): string {
  const { method, url, userAgent, authorization, dpop, form, json } = call
  const hasBody = Object.keys({ ...form, ...json }).length > 0
  const isImplied = hasBody ? method === 'POST' : method === 'GET'
  const header = (text: string) => `-H ${shellQuote(text)}`
  return [
    `curl -ksS -w '\\n%{http_code}\\n' ${isImplied ? '' : `-X ${method} `}${shellQuote(url)}`,
    `--connect-to ::127.0.0.1:${port}`,
    ...(userAgent === undefined ? [] : [`-A ${shellQuote(userAgent)}`]),
    ...(authorization === undefined ? [] : [header(`Authorization: ${authorization}`)]),
    ...(dpop === undefined ? [] : [header(`DPoP: ${dpop}`)]),
    ...Object.entries(form ?? {}).map(
      ([name, value]) => `--data-urlencode ${shellQuote(`${name}=${value}`)}`,
    ),
    ...(json === undefined
      ? []
      : [header('Content-Type: application/json'), `-d ${shellQuote(JSON.stringify(json))}`]),
  ].join(' \\\n  ')
}
