import { pause } from '../clock'
import { audit, startLoad } from '../load'
import { earlyRefusals, loadOptions, type Scenario } from '../scenario'

/** Random calls at all workers, without a fault. */
export const interleavings: Scenario = {
  name: 'interleavings',
  title: 'Clients request, redeem, exchange, revoke and introspect keys at random',
  async run(deployment) {
    const session = deployment.startSession()
    const options = loadOptions(deployment, session)
    const load = startLoad(options)
    await pause(deployment.scale.randomSeconds * 1000)
    await load.stop()
    await audit(options, load.keys)
    const history = session.history()
    return { history, notes: [], failures: earlyRefusals(history) }
  },
}
