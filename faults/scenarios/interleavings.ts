import { pause } from '../clock'
import { audit, startLoad } from '../load'
import { loadOptions, type Scenario } from '../scenario'

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
    const bad = history.calls.filter(({ status }) => status === undefined || status >= 500).length
    const faults = bad === 0 ? [] : [`${bad} calls were not answered though nothing was wrong`]
    return { history, notes: [], faults }
  },
}
