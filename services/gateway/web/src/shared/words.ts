/** Words in Chinese and English. Each entry has a file of each; a test finds what one has and the other lacks. */
import { createI18n, type I18n } from 'vue-i18n'
import en from './en.json'
import zh from './zh.json'

export type Language = 'zh' | 'en'
type Words = Record<string, unknown>

const PLACE = 'fieldloop.language'

/** What the reader chose, else what the browser asks for, else Chinese. */
function firstLanguage(): Language {
  const chosen = localStorage.getItem(PLACE) ?? new URLSearchParams(location.search).get('lang')
  if (chosen === 'zh' || chosen === 'en') return chosen
  return navigator.language.toLowerCase().startsWith('en') ? 'en' : 'zh'
}

export function words(entry: Record<Language, Words>): I18n {
  const language = firstLanguage()
  say(language)
  return createI18n({
    legacy: false,
    locale: language,
    fallbackLocale: false,
    messages: { zh: { ...zh, ...entry.zh }, en: { ...en, ...entry.en } },
  }) as I18n
}

/** Tell the browser which language the page is in; the server answers in it too. */
export function say(language: Language): void {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
  localStorage.setItem(PLACE, language)
}
