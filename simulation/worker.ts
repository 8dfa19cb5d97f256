import { type Simulation, simulate } from './run'

/** Runs each simulation that the parent process sends. It ends when the parent disconnects. */
process.on('message', async (simulation: Simulation) => {
  process.send?.(await simulate(simulation))
})
