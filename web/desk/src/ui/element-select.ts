// Element Plus's select with its styles, imported by hand: types stay checked and no build plug-in is needed.
import 'element-plus/theme-chalk/base.css'
import 'element-plus/theme-chalk/el-scrollbar.css'
import 'element-plus/theme-chalk/el-popper.css'
import 'element-plus/theme-chalk/el-tag.css'
import 'element-plus/theme-chalk/el-option.css'
import 'element-plus/theme-chalk/el-select.css'

export { ElOption, ElSelect } from 'element-plus'
