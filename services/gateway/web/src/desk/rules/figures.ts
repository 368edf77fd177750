/** The figures of the dispatch rules as people set them, in the groups that belong together, and what a trial counts. */
import type { Schemas } from '../../shared/api'

export type Figures = Schemas['RuleFigures']
export type Rules = Schemas['RulesView']
export type Draft = Schemas['DraftView']
export type Run = Schemas['RunView']
export type Name = Exclude<keyof Figures, 'offered_first' | 'slots_calendar' | 'slots_outside'>

/** Name, least, most: as the service takes them. */
type Field = readonly [Name, number, number]

export const GROUPS: readonly { name: string; fields: readonly Field[] }[] = [
  {
    name: 'prefer',
    fields: [
      ['metres_a_point', 1, 100_000],
      ['points_a_booking', 0, 100_000],
      ['points_for_wish', 0, 100_000],
      ['points_a_missing_part', 0, 100_000],
      ['fen_a_point', 1, 1_000_000],
    ],
  },
  {
    name: 'urgent',
    fields: [
      ['points_an_hour_low', 0, 100_000],
      ['points_an_hour_normal', 0, 100_000],
      ['points_an_hour_high', 0, 100_000],
      ['points_an_hour_critical', 0, 100_000],
    ],
  },
  { name: 'bounds', fields: [['assign_minutes', 1, 10_080], ['horizon_days', 1, 14], ['daily_limit', 1, 100]] },
  { name: 'offer', fields: [['offer_minutes', 1, 1_440], ['offer_to', 1, 50]] },
  { name: 'slots', fields: [] },
  { name: 'travel', fields: [['detour_percent', 100, 300], ['km_an_hour', 1, 200]] },
  { name: 'better', fields: [['better_every_minutes', 0, 1_440], ['better_seconds', 1, 60], ['better_least_percent', 0, 100]] },
]

export const NAMES: readonly Name[] = GROUPS.flatMap((group) => group.fields.map(([name]) => name))

export function figuresOf(rules: Figures): Figures {
  const numbers = Object.fromEntries(NAMES.map((name) => [name, rules[name]])) as Record<Name, number>
  const { slots_calendar, slots_outside } = rules
  return { ...numbers, slots_calendar, slots_outside, offered_first: (rules.offered_first ?? []).map((one) => ({ ...one })) }
}

/** What is otherwise than in the rules in force. */
export function changed(figures: Figures, inForce: Figures | null): Name[] {
  return inForce ? NAMES.filter((name) => figures[name] !== inForce[name]) : []
}

/** What a trial is compared by; `less` is better, or neither is. */
export const COMPARED: readonly { name: keyof Run; unit: 'count' | 'metres' | 'seconds' | 'fen'; less: boolean }[] = [
  { name: 'travel_m', unit: 'metres', less: true },
  { name: 'wait_s', unit: 'seconds', less: true },
  { name: 'late', unit: 'count', less: true },
  { name: 'late_s', unit: 'seconds', less: true },
  { name: 'overtime_s', unit: 'seconds', less: true },
  { name: 'expense_fen', unit: 'fen', less: true },
  { name: 'refused', unit: 'count', less: true },
  { name: 'busiest', unit: 'count', less: false },
]

export const LOOKS: Record<Draft['state'], string> = { draft: '', trying: 'blue', 'given-up': 'bad', tried: 'brand', published: 'good' }
