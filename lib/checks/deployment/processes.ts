import { type Check, PASSED, skipped } from '../check.js'
import type { DeploymentUnderTest } from './deployment-under-test.js'

/** A load balancer usually sends these requests to several processes. */
const QUESTIONS = 8

/** Do all processes behind the address know the same keys? */
export const PROCESS_CHECKS: readonly Check<DeploymentUnderTest>[] = [
  {
    id: 'processes-agree',
    group: 'Processes',
    title: 'all processes know a key that one of them has issued',
    fix: 'Let all processes share one store, such as redisStore(), and give them the same signing keys.',
    needs: ['issuance-key'],
    async run(deployment, signal) {
      if (deployment.metadata['introspection_endpoint'] === undefined)
        return skipped('the metadata have no introspection_endpoint')
      const { text } = await deployment.sample(signal)
      const seen = new Map<unknown, number>()
      for (let i = 0; i < QUESTIONS; i += 1) {
        const exchange = await deployment.introspect(text, signal)
        const { active } = exchange.json
        seen.set(active, (seen.get(active) ?? 0) + 1)
        if (seen.size > 1) return deployment.failed(exchange, 'the same answer each time', told(seen))
      }
      return PASSED
    },
  },
]

function told(seen: ReadonlyMap<unknown, number>): string {
  const counts = [...seen].map(([active, count]) => `${count} times active: ${active}`)
  return `the introspection of one key answered ${counts.join(', and ')}`
}
