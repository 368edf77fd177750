import { createApp } from 'vue'
import '../shared/base.css'
import { words } from '../shared/words'
import App from './App.vue'
import en from './en.json'
import zh from './zh.json'

createApp(App).use(words({ zh, en })).mount('#app')
