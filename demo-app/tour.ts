import { EnvironmentError, refuseArguments } from './environment'
import { painter } from './paint'
import type { Step } from './requests/step'
import { ATTACKS, REPLAY } from './tour/attacks'
import { deviceSteps } from './tour/device'
import { FLOW } from './tour/flow'
import { type Guide, guide } from './tour/guide'
import { lostAnswerSteps } from './tour/lost-answer'
import { isInteractive, pauses } from './tour/pauses'
import { heading, wrap } from './tour/show'
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
  if (isInteractive(process.stdin, process.stdout)) console.log(wrap(WITHOUT_PAUSES, '  '))
  try {
    return await runParts(runStep)
  } finally {
    await target.stop()
  }
}

const PARTS: readonly (readonly [title: string, steps: readonly Step[]])[] = [
  ['The flow', FLOW],
  ['A replay', REPLAY],
  ['A lost answer', lostAnswerSteps()],
  ['A device with a key pair', deviceSteps()],
  ['Attacks', ATTACKS],
]

const WITHOUT_PAUSES = 'The tour waits for Enter. Without pauses: npm run demo:tour </dev/null'

const TOTAL = PARTS.reduce((sum, [, steps]) => sum + steps.length, 0)

/** Resolves with whether all steps went as described. */
async function runParts(runStep: Guide): Promise<boolean> {
  const failed: number[] = []
  const startedAt = Date.now()
  const pause = pauses(process.stdin, process.stdout)
  let number = 0
  for (const [title, steps] of PARTS) {
    console.log(`\n  ${paint('bold', heading(title))}`)
    for (const step of steps) {
      number += 1
      if (!(await runStep(step, `${number} of ${TOTAL}`))) failed.push(number)
      if (number < TOTAL) await pause('Press Enter for the next step. ')
    }
  }
  const isGood = summarise(failed, number)
  if (!isGood && Date.now() - startedAt > KEY_MILLISECONDS)
    console.log(
      '  Keys are valid for 5 minutes, and the tour took longer. Run it again without long pauses.\n',
    )
  return isGood
}

const KEY_MILLISECONDS = 300_000

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
