// Element Plus's drawer (which asks before it throws typed words away) and message with their styles.
import 'element-plus/theme-chalk/base.css'
import 'element-plus/theme-chalk/el-overlay.css'
import 'element-plus/theme-chalk/el-drawer.css'
import 'element-plus/theme-chalk/el-badge.css'
import 'element-plus/theme-chalk/el-message.css'

export { ElMessage } from 'element-plus'
export { default as ElDrawer } from './AskingDrawer.vue'
