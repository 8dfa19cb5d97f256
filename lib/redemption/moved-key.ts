import { networkOf } from '../base/network.js'
import type { RequestSource } from '../base/request.js'
import type { StoringDeployment } from '../ports/deployment.js'
import type { KeyEntry } from '../ports/store.js'
import { agentDigest } from '../tokens/origin.js'

/**
 * Notes a network that presents a key for the first time, and emits an event. The request does not wait for it, and a
 * store that does not answer refuses nothing.
 */
export function noteNetwork(deployment: StoringDeployment, entry: KeyEntry, source: RequestSource): void {
  const { issuedTo, issuedToAgent, networks = [] } = entry
  const network = issuedTo === undefined ? undefined : networkOf(source.address)
  if (network === undefined || issuedTo === undefined) return
  if (network === issuedTo || networks.includes(network)) return
  const { jti: keyId, clientId, subject } = entry
  const agentChanged = agentDigest(source.userAgent) !== issuedToAgent
  const networkCount = networks.length + 2
  const details = { keyId, clientId, subject, issuedTo, network, networkCount, agentChanged }
  deployment.store.notePresentation(entry, network).then(
    (outcome) => outcome === 'noted' && deployment.emit('key.moved', details, source),
    () => undefined,
  )
}
