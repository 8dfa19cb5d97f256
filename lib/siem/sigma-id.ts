import { createHash } from 'node:crypto'
import { SCOPE } from '../monitoring/meters.js'
import type { Rule } from '../monitoring/rules/rule.js'

/**
 * The id of a Sigma rule: a UUID that is made from names, with SHA-256 (RFC 9562 5.8). Each version of a rule has another
 * one, so nobody takes a new rule for the old one.
 *
 * @param part distinguishes the rules of one file
 */
export function sigmaIdOf({ id, version }: Rule, part = 'rule'): string {
  const name = [SCOPE.name, 'sigma', id, version, part].join(':')
  const bytes = createHash('sha256').update(name).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
