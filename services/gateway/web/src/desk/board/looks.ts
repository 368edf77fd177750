/** How a state looks, on the list, the timeline and the map. */
import type { Order } from './orders'

const TAGS: Record<string, string> = {
  waiting: 'warn',
  assigned: 'brand',
  'under-way': 'blue',
  finished: '',
  cancelled: '',
}

export function colour(state: Order['state']): string {
  return TAGS[state] ?? ''
}

/** Fill and edge. */
export const PAINT: Record<string, [string, string]> = {
  late: ['#f6c9c5', '#b3261e'],
  waiting: ['#ffdf9e', '#8a5300'],
  assigned: ['#bfe3da', '#0b5d51'],
  'under-way': ['#bcd7f6', '#15467c'],
  finished: ['#dfe5e3', '#55625f'],
  cancelled: ['#dfe5e3', '#55625f'],
}

export function skillOf(order: Order): string {
  return order.device_model && order.device_model !== order.skill ? `${order.skill} ${order.device_model}` : order.skill
}
