import type { RuleId } from '../lib/index.js'

/** The rules that have more than one false finding for 1,000 clients and a week. */
export const NOISY: ReadonlySet<RuleId> = new Set([
  'replayed_key',
  'dead_key',
  'client_guessing',
  'silent_client',
])

/** What causes the false findings of a rule. */
export const CAUSES: { readonly [rule in RuleId]?: string } = {
  replayed_key:
    'A client without a DPoP key repeats its request, because 1 of 500 answers is lost. A proxy sends 1 of 1,000 requests twice',
  dead_key:
    'The configuration of a service contains an old key. The service sends this key five times after each restart',
  wrong_place: 'Once a week, a client sends its key to the wrong API five times',
  scope_escalation:
    'Once a week, a new release of a client asks for a scope that its policy does not contain yet',
  network_changed: 'Once a week, a developer asks for a key on a laptop, and uses it on a server',
  many_networks: 'Once a week, a car changes its network twice within five minutes',
  client_guessing: 'The server has a new secret, and one client still uses the old secret for an hour',
  silent_client: 'A client that is active day and night is switched off for its first weekend',
}
