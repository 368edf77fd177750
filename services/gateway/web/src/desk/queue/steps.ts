/** How far a request is, in one word for lists: its state, or the last thing that happened on the way. */
import type { Schemas } from '../../shared/api'

export type Request = Schemas['RequestView']

const WAY = ['completed', 'finished', 'started', 'arrived', 'departed', 'assigned', 'received'] as const

export function stepOf(request: Request): string {
  if (request.state !== 'received') return request.state
  // Reopened, it begins anew: what was before is history.
  const since = request.reopened_at ? Date.parse(request.reopened_at) : 0
  return WAY.find((step) => request[`${step}_at`] && Date.parse(request[`${step}_at`]!) >= since) ?? 'received'
}

export const STATES = ['received', 'incomplete', 'merged', 'withdrawn', 'expired', 'cancelled', 'closed'] as const
export const CHANNELS = ['web', 'app', 'wechat', 'hotline', 'email', 'partner', 'api'] as const

const TAGS: Record<string, string> = { incomplete: 'warn', received: 'brand', assigned: 'brand', departed: 'blue', arrived: 'blue', started: 'blue', finished: 'blue', completed: 'good', closed: 'good', expired: 'bad' }

export function tagOf(step: string): string {
  return TAGS[step] ?? ''
}
