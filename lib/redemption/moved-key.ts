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
  const details = { keyId, clientId, subject, issuedTo, network, agentChanged }
  deployment.store.notePresentation(entry, network).then(
    (noted) => {
      if (noted.outcome !== 'noted') return
      // The network of the issuance counts too, and is never noted.
      deployment.emit('key.moved', { ...details, networkCount: noted.networks + 1 }, source)
    },
    () => undefined,
  )
}
