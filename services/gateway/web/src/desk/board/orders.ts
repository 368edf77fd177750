/** What the board knows: open orders, those whose visit of the day is over, engineers, and when each must be done. */
import { ref, shallowRef, triggerRef, type Ref, type ShallowRef } from 'vue'
import { api, whole, type Schemas } from '../../shared/api'
import { gathered, onChanges } from '../following'
import { everyPage, MOST } from '../reading'

export type Order = Schemas['OrderView']
export type Engineer = Schemas['EngineerView']
export type Clock = Schemas['ClockRow']

export const OPEN: Order['state'][] = ['waiting', 'assigned', 'under-way']

export interface Board {
  orders: ShallowRef<Map<string, Order>>
  engineers: ShallowRef<Map<string, Engineer>>
  /** The next promise of each order that has an SLA, ISO time by order. */
  promised: ShallowRef<Map<string, string>>
  /** What the lists are at: nothing yet, some pages, all. */
  read: Ref<'nothing' | 'some' | 'all'>
  error: ShallowRef<unknown>
  /** Told of each order that was read anew. */
  onOrder(listener: (order: Order) => void): void
  reread(orderId: string): Promise<void>
  rereadEngineer(engineerId: string): Promise<void>
}

/** By when something must happen to it: the SLA's next promise, or somebody must be found. */
export function dueAt(order: Order, promised: Map<string, string>): number | null {
  const sla = promised.get(order.order_id)
  const assign = order.state === 'waiting' ? order.assign_due_at : null
  const times = [sla, assign].filter((at): at is string => Boolean(at)).map((at) => Date.parse(at))
  return times.length ? Math.min(...times) : null
}

export function isLate(order: Order, promised: Map<string, string>, now: number): boolean {
  if (order.state === 'waiting' && order.overdue) return true
  const due = dueAt(order, promised)
  return due !== null && due < now && OPEN.includes(order.state)
}

export function useBoard(): Board {
  const orders = shallowRef(new Map<string, Order>())
  const engineers = shallowRef(new Map<string, Engineer>())
  const promised = shallowRef(new Map<string, string>())
  const read = ref<'nothing' | 'some' | 'all'>('nothing')
  const error = shallowRef<unknown>(null)
  const listeners: ((order: Order) => void)[] = []
  let slas: string[] = []

  async function readAll(): Promise<void> {
    const fresh = new Map<string, Order>()
    const staff = new Map<string, Engineer>()
    const first = read.value === 'nothing'
    await Promise.all([
      everyPage(
        async (cursor) => whole(await api.GET('/v1/orders', { params: { query: { limit: MOST, cursor } } })),
        (page) => page.forEach((order) => fresh.set(order.order_id, order)),
      ),
      everyPage(
        async (cursor) => whole(await api.GET('/v1/engineers', { params: { query: { limit: MOST, cursor } } })),
        (page) => page.forEach((one) => staff.set(one.engineer_id, one)),
      ),
    ])
    // Finished ones are in no list of open orders; those that were seen today stay to be looked at.
    if (!first) for (const [id, order] of orders.value) if (!fresh.has(id) && !OPEN.includes(order.state)) fresh.set(id, order)
    orders.value = fresh
    engineers.value = staff
    read.value = 'all'
    await readPromises()
  }

  async function readPromises(): Promise<void> {
    slas = []
    await everyPage(
      async (cursor) => whole(await api.GET('/v1/slas', { params: { query: { limit: MOST, cursor } } })),
      (page) => slas.push(...page.map((one) => one.sla_id)),
    )
    const next = new Map<string, string>()
    for (const sla_id of slas) {
      await everyPage(
        async (cursor) =>
          whole(await api.GET('/v1/slas/{sla_id}/clocks', { params: { path: { sla_id }, query: { state: 'running', limit: MOST, cursor } } })),
        (page) => page.forEach((clock) => sooner(next, clock.order_id, clock.due_at)),
      )
    }
    promised.value = next
  }

  function sooner(into: Map<string, string>, orderId: string, at: string | null | undefined): void {
    const known = into.get(orderId)
    if (at && (!known || Date.parse(at) < Date.parse(known))) into.set(orderId, at)
  }

  async function reread(order_id: string): Promise<void> {
    const order = whole(await api.GET('/v1/orders/{order_id}', { params: { path: { order_id } } }))
    orders.value.set(order_id, order)
    if (slas.length) {
      const clocks = whole(await api.GET('/v1/orders/{order_id}/clocks', { params: { path: { order_id } } }))
      promised.value.delete(order_id)
      for (const clock of clocks) if (clock.state === 'running') sooner(promised.value, order_id, clock.due_at)
      triggerRef(promised)
    }
    triggerRef(orders)
    listeners.forEach((tell) => tell(order))
  }

  async function rereadEngineer(engineer_id: string): Promise<void> {
    const one = whole(await api.GET('/v1/engineers/{engineer_id}', { params: { path: { engineer_id } } }))
    engineers.value = new Map(engineers.value).set(engineer_id, one)
  }

  async function again(): Promise<void> {
    try {
      await readAll()
      error.value = null
    } catch (failed) {
      error.value = failed
      throw failed
    }
  }

  const order = gathered(reread)
  const engineer = gathered(rereadEngineer)
  onChanges((change) => {
    const [kind, id] = split(change.thing)
    if (kind === 'order') order(id)
    else if (kind === 'engineer') engineer(id)
  }, again)
  void again().catch(() => undefined)

  return { orders, engineers, promised, read, error, onOrder: (listener) => void listeners.push(listener), reread, rereadEngineer }
}

function split(thing: string): [string, string] {
  const at = thing.indexOf('/')
  return [thing.slice(0, at), thing.slice(at + 1)]
}

/** As people call it: its number, or the beginning of its id where it has none. */
export function called(order: Order): string {
  return order.number || order.order_id.slice(0, 8)
}
