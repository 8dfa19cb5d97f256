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

/**
 * Gives each piece of advice once: as an event, and as a process warning in case no observer listens yet.
 *
 * @param docsUrl the page that explains each code
 */
export function adviser(emit: Emit, docsUrl?: string): Advise {
  const given = new Set<string>()
  return (advice, code, { detail } = {}) => {
    if (given.has(advice)) return
    given.add(advice)
    emit('configuration.advised', { advice })
    const full = detail === undefined ? advice : `${advice}: ${scrub(detail)}`
    const text = docsUrl === undefined ? full : `${full} See ${docsUrl}#${code}`
    process.emitWarning(text, { type: 'ProvisioningKeysWarning', code })
  }
}
