import { type KeyState, nameOf, UNBORN } from './key-state'
import type { Point } from './points'

/** Whether there is an order that explains everything; if not, how far the best one got. */
export type Explanation =
  | { readonly holds: true }
  | {
      readonly holds: false
      readonly isUndecided: boolean
      readonly order: readonly string[]
      readonly stuck: string
    }

/** More steps than any key that can be explained has ever needed. */
const MOST_STEPS = 200_000

/**
 * Looks for an order of points, each within its times, in which one key could have gone through all of them.
 *
 * A sight is taken as soon as it can be: it changes nothing, so an order that takes it later is none the worse for it.
 * Of what changes the key every order is tried, and no combination of what is done and where the key is twice.
 */
export function explain(points: readonly Point[]): Explanation {
  const search: Search = { points, tried: new Set(), steps: 0, best: { order: [], stuck: '' } }
  const isDone = points.map(() => false)
  const holds = descend(search, { state: UNBORN, isDone, now: Number.NEGATIVE_INFINITY, order: [] })
  if (holds) return { holds: true }
  return { holds: false, isUndecided: search.steps > MOST_STEPS, ...search.best }
}

interface Search {
  readonly points: readonly Point[]
  readonly tried: Set<string>
  steps: number
  best: { order: readonly string[]; stuck: string }
}

interface Position {
  readonly state: KeyState
  readonly isDone: readonly boolean[]
  /** No earlier than this: the latest beginning of what is done. */
  readonly now: number
  readonly order: readonly string[]
}

function descend(search: Search, start: Position): boolean {
  search.steps += 1
  if (search.steps > MOST_STEPS) return false
  const position = takeSights(search, start)
  const { state, isDone } = position
  const first = mostUrgent(search, position)
  if (first === undefined) return true
  const place = `${nameOf(state)} ${isDone.map(Number).join('')}`
  if (search.tried.has(place)) return false
  search.tried.add(place)
  noteBest(search, position, first)
  return search.points.some(
    (point, i) =>
      !point.isSight &&
      mayCome(search, position, i, first) &&
      point.step(state).some((next) => descend(search, taken(position, point, i, next))),
  )
}

function takeSights(search: Search, start: Position): Position {
  for (let position = start; ; ) {
    const first = mostUrgent(search, position)
    if (first === undefined) return position
    const from = position
    const seen = search.points
      .map((point, i) => ({ point, i }))
      .filter(({ point, i }) => point.isSight && mayCome(search, from, i, first) && canSee(from, point))
    if (seen.length === 0) return position
    for (const { point, i } of seen) position = taken(position, point, i, position.state)
  }
}

function canSee({ state }: Position, { step }: Point): boolean {
  return step(state).length > 0
}

function taken({ isDone, now, order }: Position, point: Point, i: number, state: KeyState): Position {
  return {
    state,
    isDone: isDone.with(i, true),
    now: Math.max(now, point.from),
    order: [...order, point.label],
  }
}

/** Of what must have happened and is still to come, that which must come soonest. */
function mostUrgent({ points }: Search, { isDone }: Position): Point | undefined {
  let first: Point | undefined
  points.forEach((point, i) => {
    if (isDone[i] || point.isOptional) return
    if (first === undefined || point.to < first.to) first = point
  })
  return first
}

/** Nothing that must be over before this begins may be still to come. */
function mayCome({ points }: Search, { isDone, now }: Position, i: number, first: Point): boolean {
  const point = points[i]
  if (point === undefined || isDone[i]) return false
  const moment = Math.max(now, point.from)
  if (moment > point.to || moment > first.to) return false
  return point.after === undefined || isDone[points.indexOf(point.after)] === true
}

function noteBest(search: Search, { state, order }: Position, first: Point): void {
  if (search.best.stuck !== '' && order.length <= search.best.order.length) return
  search.best = { order, stuck: `${first.label} has no place: the key is ${state.name} by then` }
}
