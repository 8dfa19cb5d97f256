import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Nonces } from '../ports/deployment.js'

/**
 * @param secret shared by all instances, at least 256 bits
 * @param stepSeconds how long one nonce is handed out; it is accepted for as long again
 * @param now in milliseconds
 */
export function nonces(secret: Buffer, stepSeconds: number, now: () => number): Nonces {
  const step = () => Math.floor(now() / 1000 / stepSeconds)
  const nonceOf = (number: number) =>
    createHmac('sha256', secret).update(`dpop-nonce:${number}`).digest('base64url')
  return {
    current: () => nonceOf(step()),
    accepts(nonce) {
      // One step ahead as well: another instance's clock may be in front of ours.
      return [0, -1, 1].some((distance) => equal(nonce, nonceOf(step() + distance)))
    },
  }
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
