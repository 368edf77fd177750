/** What engineers and types of request are called, where a page has their ids: read once for the whole desk. */
import { shallowRef, triggerRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { api, whole } from '../shared/api'
import { everyPage, MOST } from './reading'

const engineers = shallowRef(new Map<string, string>())
const types = shallowRef(new Map<string, { zh: string; en: string }>())
let reading = false

/** Who may not read them sees the ids. */
async function read(): Promise<void> {
  reading = true
  const staff = api.GET('/v1/engineers/names').then((answer) => (engineers.value = new Map(Object.entries(whole(answer)))))
  const kinds = everyPage(
    async (cursor) => whole(await api.GET('/v1/request-types', { params: { query: { limit: MOST, cursor } } })),
    (items) => items.forEach((one) => types.value.set(one.type_id, { zh: one.name_zh || one.name, en: one.name })),
  )
  const told = await Promise.allSettled([staff, kinds])
  reading = told.every((one) => one.status === 'fulfilled')
  triggerRef(engineers)
  triggerRef(types)
}

export function useNames(): { engineerOf: (id: string) => string; typeOf: (id: string) => string } {
  const { locale } = useI18n()
  if (!reading) void read()
  return {
    engineerOf: (id) => engineers.value.get(id) || id,
    typeOf: (id) => types.value.get(id)?.[locale.value as 'zh' | 'en'] ?? id,
  }
}
