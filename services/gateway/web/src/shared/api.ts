/** Our API, typed by its own OpenAPI document; refusals are thrown as `Refused`. */
import createClient, { type Middleware } from 'openapi-fetch'
import type { components, paths } from '../api/schema'
import { Refused, token } from './session'

export type Schemas = components['schemas']

/** How far we know each service's journal to be, by our commands and by what we were told of: reads wait until they show it. */
const seen = new Map<string, number>()
/** When a read was last answered before it showed all that. */
let behindAt = 0

/** `position` is as in the header: `fieldwork;123`. */
export function hasSeen(position: string): void {
  const [service = '', at = ''] = position.split(';')
  if (service && Number(at) > (seen.get(service) ?? 0)) seen.set(service, Number(at))
}

export function forgetSeen(): void {
  seen.clear()
}

/** Whether a read since then (milliseconds since 1970) may have been answered too early, and is to be asked again. */
export function wasBehind(since: number): boolean {
  return behindAt >= since
}

const ours: Middleware = {
  async onRequest({ request }) {
    request.headers.set('Authorization', `Bearer ${await token()}`)
    request.headers.set('Accept-Language', document.documentElement.lang)
    if (request.method === 'GET') {
      if (seen.size) request.headers.set('Fieldloop-Position', [...seen].map(([service, at]) => `${service};${at}`).join(', '))
    } else if (!request.headers.has('Idempotency-Key')) {
      request.headers.set('Idempotency-Key', crypto.randomUUID())
    }
    return request
  },
  async onResponse({ response }) {
    hasSeen(response.headers.get('Fieldloop-Position') ?? '')
    if (response.headers.get('Fieldloop-Stale')) behindAt = Date.now()
    if (response.ok) return response
    const problem = await response
      .clone()
      .json()
      .catch(() => ({ code: 'server.failed', title: `HTTP ${response.status}` }))
    throw new Refused(response.status, problem)
  },
}

const client = createClient<paths>({ baseUrl: location.origin })
client.use(ours)

export const api = client

/** What an answer holds; a refusal was thrown before. */
export function whole<T>(answer: { data?: T }): T {
  return answer.data as T
}
