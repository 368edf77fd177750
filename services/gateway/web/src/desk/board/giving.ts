/** An order is given to somebody: looked at before, done by the version that was looked at. */
import { api, whole, type Schemas } from '../../shared/api'
import type { Order } from './orders'

export interface Wish {
  order: Order
  engineerId: string
  /** Where it was dropped; without it, the best hours that she is free. */
  startsAt?: Date
}

export type Choice = Schemas['Choice']

export async function lookedAt(wish: Wish): Promise<Choice> {
  const path = { order_id: wish.order.order_id, engineer_id: wish.engineerId }
  const query = wish.startsAt ? { starts_at: wish.startsAt.toISOString() } : {}
  return whole(await api.GET('/v1/orders/{order_id}/candidates/{engineer_id}', { params: { path, query } }))
}

/** Nobody has it then, as before it was given. */
export async function takeBack(order: Order, reason: string): Promise<void> {
  const path = { order_id: order.order_id }
  const headers = { 'If-Match': `"${order.version}"` }
  await api.POST('/v1/orders/{order_id}/unassign', { params: { path }, body: { reason }, headers })
}

export async function give(wish: Wish, reason: string, version: number): Promise<void> {
  const path = { order_id: wish.order.order_id }
  const body = { engineer_id: wish.engineerId, starts_at: wish.startsAt?.toISOString() ?? null, reason }
  const headers = { 'If-Match': `"${version}"` }
  if (wish.order.state === 'waiting') await api.POST('/v1/orders/{order_id}/assign', { params: { path }, body, headers })
  else await api.POST('/v1/orders/{order_id}/reassign', { params: { path }, body, headers })
}
