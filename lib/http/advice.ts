import type { Emit } from '../ports/events.js'

/**
 * Gives each piece of advice once: as an event, and as a process warning in case no observer listens yet.
 *
 * @param docsUrl the page that explains each code
 */
export function adviser(emit: Emit, docsUrl?: string): (advice: string, code?: string) => void {
  const given = new Set<string>()
  return (advice, code = 'EPK_TRUST_PROXY') => {
    if (given.has(advice)) return
    given.add(advice)
    emit('configuration.advised', { advice })
    const text = docsUrl === undefined ? advice : `${advice} See ${docsUrl}#${code}`
    process.emitWarning(text, { type: 'ProvisioningKeysWarning', code })
  }
}
