import { scrub } from '../base/secret.js'
import type { Emit } from '../ports/events.js'

/**
 * Gives a piece of advice. `detail` is for the process warning only, because it may contain anything: each text of `advice`
 * is remembered for ever, and every operator may see it.
 */
export type Advise = (
  advice: string,
  code: string,
  options?: { readonly detail?: string | undefined },
) => void

/** The most texts of one code. A request can cause a text of its own, such as the path of a router. */
const MOST_OF_A_CODE = 20

/**
 * Gives each piece of advice once: as an event, and as a process warning in case no observer listens yet.
 *
 * @param docsUrl the page that explains each code
 */
export function adviser(emit: Emit, docsUrl?: string): Advise {
  const given = new Set<string>()
  const ofCodes = new Map<string, number>()
  return (advice, code, { detail } = {}) => {
    const ofCode = ofCodes.get(code) ?? 0
    if (given.has(advice) || ofCode >= MOST_OF_A_CODE) return
    given.add(advice)
    ofCodes.set(code, ofCode + 1)
    emit('configuration.advised', { advice })
    const full = detail === undefined ? advice : `${advice}: ${scrub(detail)}`
    const text = docsUrl === undefined ? full : `${full} See ${docsUrl}#${code}`
    process.emitWarning(text, { type: 'ProvisioningKeysWarning', code })
  }
}
