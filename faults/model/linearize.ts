import { type KeyState, NOT_ISSUED, nameOf } from './key-state'
import type { Point } from './points'

/** Whether an order explains all points; if not, the first point that the best order could not include. */
export type Explanation =
  | { readonly holds: true }
  | { readonly holds: false; readonly isUndecided: boolean; readonly stuck: string }

/** Far more steps than an explanation has ever needed. */
const MAX_STEPS = 200_000

/**
 * Searches for an order in which a key can go through all points, each within its times.
 *
 * Observations change nothing, so each is taken as early as possible. For the other points, the search tries every
 * order, but no combination of state and remaining points twice.
 */
export function explain(points: readonly Point[]): Explanation {
  const search: Search = { points, tried: new Set(), steps: 0, best: { count: -1, stuck: '' } }
  const isDone = points.map(() => false)
  const holds = canComplete(search, { state: NOT_ISSUED, isDone, now: Number.NEGATIVE_INFINITY })
  if (holds) return { holds: true }
  return { holds: false, isUndecided: search.steps > MAX_STEPS, stuck: search.best.stuck }
}

interface Search {
  readonly points: readonly Point[]
  readonly tried: Set<string>
  steps: number
  best: { readonly count: number; readonly stuck: string }
}

interface Position {
  readonly state: KeyState
  /** For each point, whether it is done. */
  readonly isDone: readonly boolean[]
  /** The earliest possible time: the latest start of a point that is done. */
  readonly now: number
}

function canComplete(search: Search, start: Position): boolean {
  search.steps += 1
  if (search.steps > MAX_STEPS) return false
  const position = takeObservations(search, start)
  const { state, isDone } = position
  const urgent = mostUrgent(search, position)
  if (urgent === undefined) return true
  const combination = `${nameOf(state)} ${isDone.map(Number).join('')}`
  if (search.tried.has(combination)) return false
  search.tried.add(combination)
  noteBest(search, position, urgent)
  return search.points.some(
    (point, i) =>
      !point.isObservation &&
      canBeNext(search, position, i, urgent) &&
      point.step(state).some((next) => canComplete(search, after(position, point, i, next))),
  )
}

function takeObservations(search: Search, start: Position): Position {
  for (let position = start; ; ) {
    const urgent = mostUrgent(search, position)
    if (urgent === undefined) return position
    const from = position
    const possible = search.points
      .map((point, i) => ({ point, i }))
      .filter(({ point, i }) => point.isObservation && canBeNext(search, from, i, urgent))
      .filter(({ point }) => point.step(from.state).length > 0)
    if (possible.length === 0) return position
    for (const { point, i } of possible) position = after(position, point, i, position.state)
  }
}

function after({ isDone, now }: Position, point: Point, i: number, state: KeyState): Position {
  return { state, isDone: isDone.with(i, true), now: Math.max(now, point.from) }
}

/** The point with the earliest end, of those that are required and not done. */
function mostUrgent({ points }: Search, { isDone }: Position): Point | undefined {
  let urgent: Point | undefined
  points.forEach((point, i) => {
    if (isDone[i] || point.isOptional) return
    if (urgent === undefined || point.to < urgent.to) urgent = point
  })
  return urgent
}

/** A point cannot be next if a required point, which is not done, ends before it starts. */
function canBeNext({ points }: Search, { isDone, now }: Position, i: number, urgent: Point): boolean {
  const point = points[i]
  if (point === undefined || isDone[i]) return false
  const time = Math.max(now, point.from)
  if (time > point.to || time > urgent.to) return false
  return point.after === undefined || isDone[points.indexOf(point.after)] === true
}

function noteBest(search: Search, { state, isDone }: Position, urgent: Point): void {
  const count = isDone.filter(Boolean).length
  if (count <= search.best.count) return
  search.best = { count, stuck: `${urgent.label} is impossible, because the key is ${state.name}` }
}
