import type { ActiveKey, RetiredKey, RotatingKeyRing, SigningKey } from '../jose/key-ring.js'
import type { Deployment } from '../ports/deployment.js'

/** Changes of the signing keys while they are in use, each told of in an event. */
export interface Rotation {
  add(key: SigningKey): void
  rotate(next: ActiveKey, overlapSeconds: number): RetiredKey
  remove(kid: string): void
}

export function rotator({ emit }: Pick<Deployment, 'emit'>, ring: RotatingKeyRing): Rotation {
  return {
    add(key) {
      ring.add(key)
      emit('signing_key.added', { kid: key.kid })
    },
    rotate(next, overlapSeconds) {
      const retired = ring.rotate(next, overlapSeconds)
      emit('signing_key.rotated', { kid: next.kid, retiredKid: retired.kid })
      return retired
    },
    remove(kid) {
      ring.remove(kid)
      emit('signing_key.removed', { kid })
    },
  }
}
