/** Our API, typed by its own OpenAPI document; refusals are thrown as `Refused`. */
import createClient, { type Middleware } from 'openapi-fetch'
import type { components, paths } from '../api/schema'
import { Refused, token } from './session'

export type Schemas = components['schemas']

/** Journal position after our last command: reads wait until they see it. */
let position = ''

const ours: Middleware = {
  async onRequest({ request }) {
    request.headers.set('Authorization', `Bearer ${await token()}`)
    request.headers.set('Accept-Language', document.documentElement.lang)
    if (request.method === 'GET') {
      if (position) request.headers.set('Fieldloop-Position', position)
    } else if (!request.headers.has('Idempotency-Key')) {
      request.headers.set('Idempotency-Key', crypto.randomUUID())
    }
    return request
  },
  async onResponse({ response }) {
    position = response.headers.get('Fieldloop-Position') ?? position
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
