/** How far a request has come, as its customer reads it. */
import type { Schemas } from '../shared/api'

const MILESTONES = ['completed', 'finished', 'started', 'arrived', 'departed', 'assigned'] as const
export type Step = (typeof MILESTONES)[number] | 'received' | 'closed' | 'incomplete' | 'expired' | 'merged' | 'withdrawn' | 'cancelled'

export function stepOf(request: Schemas['RequestView']): Step {
  if (request.state !== 'received') return request.state as Step
  return MILESTONES.find((one) => request[`${one}_at`]) ?? 'received'
}

export const OPEN: readonly Step[] = ['incomplete', 'received', 'assigned', 'departed', 'arrived', 'started', 'finished']
/** As long as nobody works on it, the customer may call it off. */
export const MAY_WITHDRAW: readonly Step[] = ['incomplete', 'received', 'assigned', 'departed']
