import { createApp } from 'vue'
import '../shared/base.css'
import { openSession } from '../shared/session'
import { words } from '../shared/words'
import App from './App.vue'
import en from './en.json'
import zh from './zh.json'

openSession('field')
createApp(App).use(words({ zh, en })).mount('#app')
