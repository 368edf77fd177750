/** How far a request has come, as its customer reads it. */
import type { Schemas } from '../shared/api'

export const MILESTONES = ['received', 'assigned', 'departed', 'arrived', 'started', 'finished', 'completed'] as const
export type Milestone = (typeof MILESTONES)[number]
export type Step = Milestone | 'closed' | 'incomplete' | 'expired' | 'merged' | 'withdrawn' | 'cancelled'

const OF_VISIT: Record<string, Milestone> = {
  planned: 'assigned',
  departed: 'departed',
  arrived: 'arrived',
  working: 'started',
  finished: 'finished',
  completed: 'completed',
}

/** The visit knows its own steps a moment before the request is told of them: the further one counts. */
export function stepOf(request: Schemas['RequestView'], visit: Schemas['VisitView'] | null = null): Step {
  if (request.state !== 'received') return request.state as Step
  const told = MILESTONES.findLast((one) => request[`${one}_at`]) ?? 'received'
  const seen = visit ? (OF_VISIT[visit.state] ?? 'received') : 'received'
  return MILESTONES.indexOf(seen) > MILESTONES.indexOf(told) ? seen : told
}

/** When each milestone was reached. */
export function trailOf(request: Schemas['RequestView'], visit: Schemas['VisitView'] | null): { name: Milestone; at: string | null }[] {
  const seen: Partial<Record<Milestone, string | null>> = visit
    ? { departed: visit.departed_at, arrived: visit.arrived_at, started: visit.started_at, finished: visit.finished_at, completed: visit.state === 'completed' ? visit.ended_at : null }
    : {}
  const begun = request.received_at ?? request.submitted_at
  return MILESTONES.map((name) => ({ name, at: (name === 'received' ? begun : request[`${name}_at`]) ?? seen[name] ?? null }))
}

export const OPEN: readonly Step[] = ['incomplete', 'received', 'assigned', 'departed', 'arrived', 'started', 'finished']
/** As long as nobody is on the way, it can have another time, where somebody goes at all. */
export const MAY_MOVE: readonly Step[] = ['received', 'assigned']
/** As long as nobody works on it, the customer may call it off. */
export const MAY_WITHDRAW: readonly Step[] = ['incomplete', 'received', 'assigned', 'departed']
