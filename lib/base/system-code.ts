import { isObject } from './object.js'

/**
 * The code of an error, or of its cause: `fetch` puts the error of the connection there. Unlike a message, a code quotes
 * nothing of the request.
 */
export function systemCode(error: unknown): string | undefined {
  const codes = [memberOf(memberOf(error, 'cause'), 'code'), memberOf(error, 'code')]
  return codes.find((code): code is string => typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code))
}

function memberOf(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined
}
