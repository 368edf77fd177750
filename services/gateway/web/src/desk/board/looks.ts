/** How a state looks, on the list, the timeline and the map. */
import { useI18n } from 'vue-i18n'
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

/** Skills that many companies have are called by their names, others as the company writes them. */
export function useSkills(): { skillName: (skill: string) => string; skillOf: (order: Order) => string } {
  const { t, te } = useI18n()
  const skillName = (skill: string): string => (te(`skill.${skill}`) ? t(`skill.${skill}`) : skill)
  const skillOf = ({ skill, device_model }: Order): string => (device_model && device_model !== skill ? `${skillName(skill)} ${device_model}` : skillName(skill))
  return { skillName, skillOf }
}
