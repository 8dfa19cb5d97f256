import { pause } from '../clock'
import { audit, startLoad } from '../load'
import { hastyRefusals, loadOptions, type Scenario } from '../scenario'

/** Issue, redeem, exchange, revoke, introspect, in whatever order chance has it, at all workers. */
export const interleavings: Scenario = {
  name: 'interleavings',
  title: 'Issue, redeem, exchange, revoke, introspect at random',
  async play(stage) {
    const act = stage.begin()
    const options = loadOptions(stage, act)
    const load = startLoad(options)
    await pause(stage.scale.randomSeconds * 1000)
    await load.stop()
    await audit(options, load.keys)
    const history = act.history()
    return { history, notes: [], faults: hastyRefusals(history) }
  },
}
