import { EnvironmentError, refuseArguments } from './environment'
import { painter } from './paint'
import { ATTACKS } from './tour/attacks'
import { deviceSteps } from './tour/device'
import { FLOW } from './tour/flow'
import { type Guide, guide } from './tour/guide'
import { lostAnswerSteps } from './tour/lost-answer'
import { heading, wrap } from './tour/show'
import type { Step } from './tour/step'
import { chooseTarget } from './tour/target'

const paint = painter(process.stdout, process.env)

async function tour(): Promise<boolean> {
  refuseArguments(process.argv.slice(2))
  // A program that reads the output has ended, as in `npm run demo:tour | head`.
  process.stdout.once('error', () => process.exit(0))
  const target = await chooseTarget(process.env)
  const runStep = guide({ target, paint, print: console.log })
  console.log(
    `\n  ${paint('bold', 'express-provisioning-keys: the tour')}\n\n${wrap(target.description, '  ')}`,
  )
  console.log(
    wrap(
      '">" marks a request, "<" its answer, "*" an event of the server. Secrets are printed as <names>.',
      '  ',
    ),
  )
  try {
    return await runParts(runStep)
  } finally {
    await target.stop()
  }
}

const PARTS: readonly (readonly [title: string, steps: readonly Step[]])[] = [
  ['The flow', FLOW],
  ['A device with a key pair', deviceSteps()],
  ['A lost answer', lostAnswerSteps()],
  ['Attacks', ATTACKS],
]

/** Resolves with whether all steps went as described. */
async function runParts(runStep: Guide): Promise<boolean> {
  const failed: number[] = []
  let number = 0
  for (const [title, steps] of PARTS) {
    console.log(`\n  ${paint('bold', heading(title))}`)
    for (const step of steps) {
      number += 1
      if (!(await runStep(step, number))) failed.push(number)
    }
  }
  return summarise(failed, number)
}

function summarise(failed: readonly number[], total: number): boolean {
  const isGood = failed.length === 0
  const verdict = isGood
    ? `All ${total} steps went as described.`
    : `${failed.length} of ${total} steps did not go as described: ${failed.join(', ')}.`
  console.log(`\n  ${paint(isGood ? 'green' : 'red', verdict)}\n`)
  return isGood
}

tour().then(
  (isGood) => {
    process.exitCode = isGood ? 0 : 1
  },
  (error) => {
    process.exitCode = 1
    console.error(error instanceof EnvironmentError ? `demo: ${error.message}` : error)
  },
)
