import { createApp } from 'vue'
import '../shared/base.css'
import './desk.css'
import { openSession } from '../shared/session'
import { words } from '../shared/words'
import App from './App.vue'
import en from './en.json'
import { router } from './router'
import zh from './zh.json'

openSession('desk')
createApp(App).use(words({ zh, en })).use(router).mount('#app')
