// Texts about forms (leaving one with unsent words, what is wrong at which field), about lists that hold nothing yet and
// about grants that still wait.
// They load with the drawers and the pages.
export const forms = {
  'forms.close': '关闭',
  'forms.unsent': '填写的内容还没有提交，关闭后就没有了。',
  'forms.stay': '继续填写',
  'forms.leave': '不要了，关闭',
  'forms.check': '请先改正下面标红的地方，再提交。',
  'forms.need_uscc': '请填写 18 位统一社会信用代码。',
  'forms.bad_uscc': '统一社会信用代码应为 18 位数字和字母，现在是 {n} 位，请核对。',
  'forms.need_agency_name': '请填写部门全称。',
  'forms.need_area': '请填写行政区划代码。',
  'forms.bad_area': '行政区划代码应为 6、9 或 12 位数字，请核对。',
  'forms.parent': '上级部门',
  'forms.no_parent': '没有上级部门',
  'forms.parent_hint': '从已登记的部门中选；本级政府的部门一般不填。',
  'forms.agency_moves':
    '改区划、条线或上级，保存后立即生效：部门名册、持证覆盖、执法类别对照和以后写的公告都按新登记办。不变的：已有的记录仍属记录时的区划；数据来源登记的区划、各账号的授权范围不随着改，需要时另行修改。',
  'waiting.grant': '授予“{role}”等另一名管理员确认：{who}于 {at} 提出，{until} 前不确认即作废。',
  'waiting.decide': '去确认或驳回',
  'waiting.look': '查看申请',
  'forms.need_name': '请填写本人姓名。',
  'forms.need_login': '请填写登录名。',
  'forms.bad_login': '登录名应为 3 至 64 位字母、数字或 . _ @ -，请改正。',
  'none.agencies': '还没有登记部门',
  'none.agencies_add': '点“登记部门”，从本级政府开始逐个登记。',
  'none.agencies_wait': '部门由系统管理员登记，登记后列在这里。',
  'none.sources': '还没有登记数据来源',
  'none.sources_add': '点“登记数据来源”，登记后这个部门才能报送数据。',
  'none.sources_wait': '数据来源由数据汇聚管理员登记，登记后列在这里。',
  'none.items': '还没有监管事项',
  'none.items_hint': '目录随“监管事项目录”数据表报送而来：在“上报数据”里选这张表，上报后就列在这里。',
  'none.implementations': '还没有检查实施清单',
  'none.implementations_hint':
    '清单随“检查实施清单”数据表报送而来：在“上报数据”里选这张表，上报后就列在这里。',
  'none.officers': '还没有执法人员',
  'none.officers_hint': '人员随“执法人员”数据表报送而来：在“上报数据”里选这张表，上报后就列在这里。',
} as const
